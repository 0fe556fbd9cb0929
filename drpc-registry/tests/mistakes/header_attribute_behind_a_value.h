enum drpc_module {
	DRPC_MODULE_A = 1 __attribute__((deprecated)),
	NUM_DRPC_MODULES
};
