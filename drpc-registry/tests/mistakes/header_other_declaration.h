typedef uint32_t d_rank_t;
