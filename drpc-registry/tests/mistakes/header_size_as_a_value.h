enum drpc_module {
	DRPC_MODULE_A = sizeof(int),
	NUM_DRPC_MODULES
};
