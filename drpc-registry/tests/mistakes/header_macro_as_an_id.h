#define GREETER_BASE 500
enum drpc_module {
	DRPC_MODULE_GREETER = 5,
	NUM_DRPC_MODULES
};

enum drpc_greeter_method {
	DRPC_METHOD_GREETER_HELLO = GREETER_BASE,
};
