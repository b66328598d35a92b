/**
 * Every function and type that SQL of agents may name. What is not here is refused: in particular whatever reads
 * files, sleeps, changes settings, takes locks, touches large objects, other sessions or replication, sends
 * notifications, or runs SQL it is given as text (query_to_xml, ts_stat, ts_rewrite …).
 *
 * A name stands for all of its overloads, so before one is added each of them has to be harmless.
 */
const names = (text: string): readonly string[] => text.split(/\s+/).filter((name) => name !== "");

/** Functions of single values, free to use anywhere. */
const SCALAR = {
  time: names(`
    now transaction_timestamp statement_timestamp clock_timestamp age date_part extract date_trunc date_bin
    date_add date_subtract make_date make_time make_timestamp make_timestamptz make_interval justify_days
    justify_hours justify_interval isfinite overlaps timezone to_timestamp to_date to_char`),
  ids: names(`
    gen_random_uuid uuidv4 uuidv7 uuid_generate_v4 uuid_extract_timestamp uuid_extract_version random
    random_normal gen_random_bytes`),
  text: names(`
    length char_length character_length octet_length bit_length lower upper initcap casefold concat concat_ws
    substr substring left right position strpos overlay btrim ltrim rtrim replace translate reverse
    split_part starts_with ascii chr to_hex to_oct to_bin to_number quote_ident quote_literal quote_nullable
    normalize is_normalized unicode_assigned similar_to_escape like_escape regexp_like regexp_count regexp_instr
    regexp_substr regexp_match regexp_replace regexp_split_to_array string_to_array`),
  hashes: names(
    "md5 sha224 sha256 sha384 sha512 crc32 crc32c digest hmac encode decode convert_from convert_to",
  ),
  numbers: names(`
    abs sign ceil ceiling floor round trunc mod div gcd lcm sqrt cbrt power pow exp ln log log10 pi degrees
    radians sin cos tan cot asin acos atan atan2 sinh cosh tanh width_bucket scale min_scale trim_scale bit_count
    get_bit set_bit get_byte set_byte`),
  casts: names("text date int2 int4 int8 float4 float8 numeric bool"),
  nulls: names("num_nulls num_nonnulls"),
  arrays: names(`
    cardinality array_length array_ndims array_dims array_lower array_upper array_append array_prepend array_cat
    array_position array_positions array_remove array_replace array_reverse array_sort array_to_string
    array_to_json trim_array`),
  json: names(`
    to_json to_jsonb row_to_json json_build_object json_build_array jsonb_build_object jsonb_build_array
    json_object jsonb_object json_typeof jsonb_typeof json_array_length jsonb_array_length json_extract_path
    json_extract_path_text jsonb_extract_path jsonb_extract_path_text json_strip_nulls jsonb_strip_nulls
    jsonb_set jsonb_set_lax jsonb_insert jsonb_pretty jsonb_exists jsonb_exists_any jsonb_exists_all
    jsonb_path_exists jsonb_path_exists_tz jsonb_path_match jsonb_path_match_tz jsonb_path_query_array
    jsonb_path_query_array_tz jsonb_path_query_first jsonb_path_query_first_tz`),
  search: names(`
    to_tsvector to_tsquery plainto_tsquery phraseto_tsquery websearch_to_tsquery tsquery_phrase ts_rank ts_rank_cd
    ts_headline ts_delete ts_filter setweight strip numnode querytree tsvector_to_array array_to_tsvector
    json_to_tsvector jsonb_to_tsvector similarity word_similarity strict_word_similarity unaccent levenshtein
    soundex metaphone dmetaphone`),
  ranges: names(`
    int4range int8range numrange daterange tsrange tstzrange int4multirange int8multirange nummultirange
    datemultirange tsmultirange tstzmultirange multirange isempty lower_inc upper_inc lower_inf upper_inf
    range_merge`),
  network: names(
    "host hostmask netmask network masklen set_masklen family broadcast abbrev inet_same_family",
  ),
  vectors: names(
    "l1_distance l2_distance cosine_distance inner_product vector_dims vector_norm l2_normalize",
  ),
};

/** Functions whose arguments are judged too; see guarded-arguments.ts. */
const GUARDED = names("current_setting nextval currval setval repeat lpad rpad format");

/** Ambit's own, in the helper schema. */
const HELPERS = names("current_user_id");

const AGGREGATE = names(`
  count sum avg min max any_value array_agg string_agg json_agg jsonb_agg json_object_agg jsonb_object_agg
  json_agg_strict jsonb_agg_strict json_object_agg_strict jsonb_object_agg_strict json_object_agg_unique
  jsonb_object_agg_unique bool_and bool_or every bit_and bit_or bit_xor stddev stddev_pop stddev_samp variance
  var_pop var_samp corr covar_pop covar_samp regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope
  regr_sxx regr_sxy regr_syy percentile_cont percentile_disc mode range_agg range_intersect_agg`);

const WINDOW = names(
  "row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value",
);

const SET_RETURNING = names(`
  unnest string_to_table regexp_matches regexp_split_to_table json_array_elements json_array_elements_text
  jsonb_array_elements jsonb_array_elements_text json_each json_each_text jsonb_each jsonb_each_text
  json_object_keys jsonb_object_keys json_to_record json_to_recordset jsonb_to_record jsonb_to_recordset
  jsonb_path_query jsonb_path_query_tz generate_subscripts`);

/** Fine in a statement of its own, pointless or unwise in a stored expression. */
const STATEMENT_ONLY = names(
  "generate_series pg_typeof pg_column_size pg_size_pretty pg_collation_for version current_database current_schema",
);

/** Where a function may be called. */
export type FunctionKind = "scalar" | "guarded" | "helper" | "aggregate" | "window" | "set" | "statement";

const KINDS = new Map<string, FunctionKind>([
  ...Object.values(SCALAR)
    .flat()
    .map((name) => [name, "scalar"] as const),
  ...GUARDED.map((name) => [name, "guarded"] as const),
  ...HELPERS.map((name) => [name, "helper"] as const),
  ...AGGREGATE.map((name) => [name, "aggregate"] as const),
  ...WINDOW.map((name) => [name, "window"] as const),
  ...SET_RETURNING.map((name) => [name, "set"] as const),
  ...STATEMENT_ONLY.map((name) => [name, "statement"] as const),
]);

/** The kind of an allowed function; undefined for any other. Names are compared exactly, as Postgres does. */
export const functionKind = (name: string): FunctionKind | undefined => KINDS.get(name);

/** All allowed functions, for documentation and tests. */
export const allowedFunctions = (): readonly string[] => [...KINDS.keys()];

const TYPES: ReadonlySet<string> = new Set(
  names(`
    bool int2 int4 int8 float4 float8 numeric money text varchar bpchar char name citext uuid bytea bit varbit
    date time timetz timestamp timestamptz interval json jsonb jsonpath tsvector tsquery
    int4range int8range numrange daterange tsrange tstzrange int4multirange int8multirange nummultirange
    datemultirange tsmultirange tstzmultirange inet cidr macaddr macaddr8
    point line lseg box path polygon circle hstore ltree lquery vector halfvec sparsevec`),
);

/** May SQL of agents cast to this type? The reg* types look names up in the catalogue and are not among them. */
export const isAllowedType = (name: string): boolean => TYPES.has(name);
