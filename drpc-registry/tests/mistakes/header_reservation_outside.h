enum drpc_module {
	DRPC_MODULE_GREETER = 5,
	NUM_DRPC_MODULES
};
/* reserved 502: was shout */
enum drpc_greeter_method {
	DRPC_METHOD_GREETER_HELLO = 501,
};
