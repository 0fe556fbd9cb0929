/**
 * DAOS's central list of dRPC modules and methods, in DAOS's own form. modules.toml holds the same list as TOML.
 *
 * Module m owns the method IDs m * 100 to m * 100 + 99. A number that is not listed, though higher ones of its module
 * are, was used once: it must not be used again.
 */
#ifndef __DAOS_DRPC_MODULES_H__
#define __DAOS_DRPC_MODULES_H__

enum drpc_module {
	DRPC_MODULE_TEST	= 0,	/* Reserved for testing */
	DRPC_MODULE_SEC_AGENT	= 1,	/* Agent Security */
	DRPC_MODULE_MGMT	= 2,	/* Management */
	DRPC_MODULE_SRV		= 3,	/* Server */
	DRPC_MODULE_SEC		= 4,	/* Security */

	NUM_DRPC_MODULES /* Must be last */
};

/* Module test has no method here: the greeting, 0, is its test server's own. */

enum drpc_sec_agent_method {
	DRPC_METHOD_SEC_AGENT_REQUEST_CREDS	= 101,	/* Makes credentials for the process that asks */

	NUM_DRPC_SEC_AGENT_METHODS /* Must be last */
};

enum drpc_mgmt_method {
	DRPC_METHOD_MGMT_KILL_RANK		= 201,	/* Kills an engine rank */
	DRPC_METHOD_MGMT_SET_RANK		= 202,	/* Sets the rank of an engine */
	DRPC_METHOD_MGMT_GET_ATTACH_INFO	= 206,	/* Tells a client how to reach a system */
	DRPC_METHOD_MGMT_POOL_CREATE		= 207,	/* Creates a pool */
	DRPC_METHOD_MGMT_POOL_DESTROY		= 208,	/* Destroys a pool */
	DRPC_METHOD_MGMT_SET_UP			= 209,	/* Finishes the set-up of an engine */
	DRPC_METHOD_MGMT_BIO_HEALTH_QUERY	= 210,	/* Queries the health of an NVMe device */
	DRPC_METHOD_MGMT_SMD_LIST_DEVS		= 211,	/* Lists the devices in the metadata store */
	DRPC_METHOD_MGMT_SMD_LIST_POOLS		= 212,	/* Lists the pools in the metadata store */
	DRPC_METHOD_MGMT_POOL_GET_ACL		= 213,	/* Gets the ACL of a pool */
	DRPC_METHOD_MGMT_POOL_OVERWRITE_ACL	= 215,	/* Replaces the ACL of a pool */
	DRPC_METHOD_MGMT_POOL_UPDATE_ACL	= 216,	/* Adds or changes entries of a pool's ACL */
	DRPC_METHOD_MGMT_POOL_DELETE_ACL	= 217,	/* Removes entries from a pool's ACL */
	DRPC_METHOD_MGMT_PREP_SHUTDOWN		= 218,	/* Prepares a rank for shutdown */
	DRPC_METHOD_MGMT_DEV_SET_FAULTY		= 220,	/* Marks a device as faulty */
	DRPC_METHOD_MGMT_DEV_REPLACE		= 221,	/* Replaces a faulty device */
	DRPC_METHOD_MGMT_LIST_CONTAINERS	= 222,	/* Lists the containers of a pool */
	DRPC_METHOD_MGMT_POOL_QUERY		= 223,	/* Queries a pool */
	DRPC_METHOD_MGMT_POOL_SET_PROP		= 224,	/* Sets properties of a pool */
	DRPC_METHOD_MGMT_PING_RANK		= 225,	/* Checks that a rank answers */
	DRPC_METHOD_MGMT_POOL_REINT		= 226,	/* Takes excluded ranks or targets back into a pool */
	DRPC_METHOD_MGMT_CONT_SET_OWNER		= 227,	/* Sets the owner of a container */
	DRPC_METHOD_MGMT_POOL_EXCLUDE		= 228,	/* Excludes ranks or targets from a pool */
	DRPC_METHOD_MGMT_POOL_EXTEND		= 229,	/* Extends a pool by ranks */
	DRPC_METHOD_MGMT_POOL_EVICT		= 230,	/* Evicts the connections of a pool */
	DRPC_METHOD_MGMT_POOL_DRAIN		= 231,	/* Drains ranks or targets of a pool */
	DRPC_METHOD_MGMT_GROUP_UPDATE		= 232,	/* Updates the members of the system */
	DRPC_METHOD_MGMT_NOTIFY_EXIT		= 233,	/* Tells the agent that a client process exits */
	DRPC_METHOD_MGMT_NOTIFY_POOL_CONNECT	= 235,	/* Tells the agent of a pool connection */
	DRPC_METHOD_MGMT_NOTIFY_POOL_DISCONNECT	= 236,	/* Tells the agent of a pool disconnection */
	DRPC_METHOD_MGMT_POOL_GET_PROP		= 237,	/* Gets properties of a pool */
	DRPC_METHOD_MGMT_SET_LOG_MASKS		= 238,	/* Sets the log masks of an engine */
	DRPC_METHOD_MGMT_POOL_UPGRADE		= 239,	/* Upgrades the format of a pool */
	DRPC_METHOD_MGMT_POOL_QUERY_TARGETS	= 240,	/* Queries the targets of a pool */
	DRPC_METHOD_MGMT_LED_MANAGE		= 241,	/* Manages the LED of a device */
	DRPC_METHOD_MGMT_CHK_START		= 242,	/* Starts the checker */
	DRPC_METHOD_MGMT_CHK_STOP		= 243,	/* Stops the checker */
	DRPC_METHOD_MGMT_CHK_QUERY		= 244,	/* Queries the checker */
	DRPC_METHOD_MGMT_CHK_PROP		= 245,	/* Gets the checker's properties */
	DRPC_METHOD_MGMT_CHK_ACT		= 246,	/* Acts on a report of the checker */
	DRPC_METHOD_MGMT_SETUP_CLIENT_TELEM	= 247,	/* Sets up telemetry for a client */
	DRPC_METHOD_MGMT_GROUP_STATUS_GET	= 248,	/* Gets the status of the members of the system */
	DRPC_METHOD_MGMT_CHK_SET_POLICY		= 249,	/* Sets the checker's policy */
	DRPC_METHOD_MGMT_POOL_REBUILD_START	= 250,	/* Starts the rebuild of a pool */
	DRPC_METHOD_MGMT_POOL_REBUILD_STOP	= 251,	/* Stops the rebuild of a pool */
	DRPC_METHOD_MGMT_POOL_SELF_HEAL_EVAL	= 252,	/* Evaluates the self-healing policy of a pool */

	NUM_DRPC_MGMT_METHODS /* Must be last */
};

enum drpc_srv_method {
	DRPC_METHOD_SRV_NOTIFY_READY		= 301,	/* Tells the server that an engine is ready */
	DRPC_METHOD_SRV_GET_POOL_SVC		= 303,	/* Gets the service replicas of a pool */
	DRPC_METHOD_SRV_CLUSTER_EVENT		= 304,	/* Reports an event in the cluster */
	DRPC_METHOD_SRV_POOL_FIND_BYLABEL	= 305,	/* Finds a pool by its label */
	DRPC_METHOD_CHK_LIST_POOL		= 306,	/* Lists the pools for the checker */
	DRPC_METHOD_CHK_REG_POOL		= 307,	/* Registers a pool for the checker */
	DRPC_METHOD_CHK_DEREG_POOL		= 308,	/* Removes a pool for the checker */
	DRPC_METHOD_CHK_REPORT			= 309,	/* Reports a finding of the checker */
	DRPC_METHOD_SRV_LIST_POOLS		= 310,	/* Lists the pools */
	DRPC_METHOD_SRV_GET_SYS_PROPS		= 311,	/* Gets the properties of the system */

	NUM_DRPC_SRV_METHODS /* Must be last */
};

enum drpc_sec_method {
	DRPC_METHOD_SEC_VALIDATE_CREDS	= 401,	/* Checks credentials and returns their token */

	NUM_DRPC_SEC_METHODS /* Must be last */
};

#endif /* __DAOS_DRPC_MODULES_H__ */
