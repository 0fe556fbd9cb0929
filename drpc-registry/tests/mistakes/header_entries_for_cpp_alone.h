enum drpc_module {
	DRPC_MODULE_GREETER = 5,
#ifdef __cplusplus
	DRPC_MODULE_MAILER = 6,
#endif
	NUM_DRPC_MODULES
};
