/* The dRPC modules and their methods. */

#ifndef DRPC_MODULES_H
#define DRPC_MODULES_H

enum drpc_module {
	DRPC_MODULE_BELOW_ZERO = -3,
	DRPC_MODULE_EMPTY      = 0, /* A module without methods. */
	DRPC_MODULE_TYPE       = 12, /* A module named by a keyword. With a second paragraph, * / the end of a C comment, and a pipe | too. */

	NUM_DRPC_MODULES
};

enum drpc_below_zero_method {
	DRPC_METHOD_BELOW_ZERO_LOWEST  = -300,
	DRPC_METHOD_BELOW_ZERO_HIGHEST = -201,

	NUM_DRPC_BELOW_ZERO_METHODS
};

enum drpc_empty_method {
	NUM_DRPC_EMPTY_METHODS
};

enum drpc_type_method {
	DRPC_METHOD_TYPE_NAME   = 1201,
	DRPC_METHOD_TYPE_ID     = 1202, /* A "quoted" <word>, a mark, `code | <T>` and a [link] in braces {}. */
	DRPC_METHOD_TYPE_METHOD = 1203, /* Takes one like Request { id: 5 } ``` let reply = call(); ``` */
	/* reserved 1205: was `five` \ in 1.0 */
	DRPC_METHOD_TYPE_MATCH  = 1210, /* A method named by a keyword. */
	/* reserved 1299: the last one is kept */

	NUM_DRPC_TYPE_METHODS
};

#endif /* DRPC_MODULES_H */
