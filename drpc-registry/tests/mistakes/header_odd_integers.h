enum drpc_module {
	DRPC_MODULE_A = 08,
	DRPC_MODULE_B = 3u,
	NUM_DRPC_MODULES
};
