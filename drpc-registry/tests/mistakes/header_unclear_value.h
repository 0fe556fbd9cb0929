enum drpc_module {
	DRPC_MODULE_A = -1u,
	DRPC_MODULE_B = (unsigned char)300,
	DRPC_MODULE_C = 1 << 31,
	DRPC_MODULE_D = 1 / (2 - 2),
	DRPC_MODULE_E = -0x80000000,
	NUM_DRPC_MODULES
};
