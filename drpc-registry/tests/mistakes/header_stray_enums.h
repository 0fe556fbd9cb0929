enum drpc_module {
	DRPC_MODULE_MGMT = 2,
	NUM_DRPC_MODULES
};

enum drpc_mgnt_method {
	NUM_DRPC_MGMT_METHODS
};

enum drpc_mgmt_method {
	NUM_DRPC_MGMT_METHODS
};

enum drpc_security_method {
	NUM_DRPC_SECURITY_METHODS
};

enum colour {
	RED
};

enum drpc_mgmt_method {
	NUM_DRPC_MGMT_METHODS
};
