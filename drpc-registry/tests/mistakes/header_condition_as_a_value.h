enum drpc_module {
	DRPC_MODULE_A = 1 ? 2 : 3,
	NUM_DRPC_MODULES
};
