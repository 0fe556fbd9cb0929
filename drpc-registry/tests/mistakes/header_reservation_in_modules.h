enum drpc_module {
	DRPC_MODULE_GREETER = 5,
	/* reserved 6: was mailer */
	NUM_DRPC_MODULES
};
