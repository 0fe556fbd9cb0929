enum drpc_module {
	DRPC_MODULE_A = 1,
	NUM_DRPC_MODULES
}

enum drpc_a_method {
	NUM_DRPC_A_METHODS
};
