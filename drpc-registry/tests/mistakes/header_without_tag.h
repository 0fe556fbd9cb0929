enum drpc_module {
	DRPC_MODULE_A = 1,
	NUM_DRPC_MODULES
};
enum {
	DRPC_METHOD_A_X = 101,
};
