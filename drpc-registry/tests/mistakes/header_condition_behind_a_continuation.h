enum drpc_module {
	DRPC_MODULE_GREETER = 5,
	NUM_DRPC_MODULES
};

#\
if 0
enum drpc_greeter_method { DRPC_METHOD_GREETER_HELLO = 501 };
#endif
