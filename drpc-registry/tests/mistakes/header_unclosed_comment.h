enum drpc_module {
	DRPC_MODULE_TEST = 0, /* greets
	NUM_DRPC_MODULES
};
