enum drpc_module { DRPC_MODULE_A = 2, NUM_DRPC_MODULES };
enum drpc_a_method {
	DRPC_METHOD_A_X = 201, // why??/
	DRPC_METHOD_A_Y,
	DRPC_METHOD_A_Z,
};
