enum drpc_module {
	DRPC_MODULE_GREETER = 5,
	NUM_DRPC_MODULES
};
enum drpc_greeter_method {
	DRPC_METHOD_GREETER_HELLO = 501,
	/* reserved 502/503: were shout and cry */
	// Reserved 509 to 503: backwards
	/* reserved 503was: joined */
};
