#ifdef __cplusplus
extern "C" {
#endif
__extension__ enum __attribute__((packed)) drpc_module {
	DRPC_MODULE_GREETER __attribute__((deprecated("a, } ; // b"))) = 5, /* why */
};
enum [[maybe_unused]] drpc_greeter_method {
	DRPC_METHOD_GREETER_HELLO [[deprecated("\"")]] /* doc */ = 501,
	DRPC_METHOD_GREETER_BYE __attribute__((unused)), // doc
	NUM_DRPC_GREETER_METHODS
} __attribute__((packed, aligned(4)));
#ifdef __cplusplus
}
#endif
