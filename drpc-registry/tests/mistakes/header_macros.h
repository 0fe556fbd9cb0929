#define FIRST 501
#define DRPC_METHOD_GREETER_WAVE 503
enum drpc_module {
	DRPC_MODULE_GREETER = 5,
};
enum drpc_greeter_method {
	DRPC_METHOD_GREETER_HELLO = FIRST,
};
