#ifndef WITHOUT_MODULES
enum drpc_module {
	DRPC_MODULE_GREETER = 5,
	NUM_DRPC_MODULES
};
#endif
