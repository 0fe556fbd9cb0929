enum drpc_module {
	DRPC_MODULE_TEST = 0
	NUM_DRPC_MODULES
};
