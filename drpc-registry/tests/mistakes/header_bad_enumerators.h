enum drpc_module {
	DRPC_MODULE_MGMT = 2,
	DRPC_MODULE_srv = 3,
	DRPC_MODUL_SEC = 4,
};

enum drpc_mgmt_method {
	DRPC_METHOD_MGNT_SET_RANK = 202,
	DRPC_METHOD_CHK_START = 242,
	NUM_DRPC_MGMT_METHODS
};

enum drpc_sec_method {
	NUM_DRPC_SEC_METHODS
};
