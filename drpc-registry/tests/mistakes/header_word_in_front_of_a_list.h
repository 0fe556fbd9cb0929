enum drpc_module DAOS_PACKED {
	DRPC_MODULE_A = 1,
};
