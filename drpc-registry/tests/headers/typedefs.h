typedef enum drpc_module {
	DRPC_MODULE_GREETER = 5,
	NUM_DRPC_MODULES
} drpc_module_t, *drpc_module_p;

/* By the name of the type alone. */
typedef enum {
	DRPC_METHOD_GREETER_HELLO = 501,
	DRPC_METHOD_GREETER_BYE,
	NUM_DRPC_GREETER_METHODS
} drpc_greeter_method_t;
