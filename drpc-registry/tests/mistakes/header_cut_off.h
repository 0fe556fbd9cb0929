enum drpc_module {
	DRPC_MODULE_TEST = 0,
