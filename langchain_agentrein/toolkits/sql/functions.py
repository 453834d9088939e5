"""The functions that are known to change nothing; a statement that calls any other is refused."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import Token, TokenType

_WORDS = """
all and any array as asc between both by case cast check collate cross cube desc distinct else end escape
except exists filter following for from full glob group having ilike in inner intersect interval is join
lateral leading left like limit match materialized natural not null offset on or order outer over partition
preceding range recursive regexp returning right rollup row rows select set sets similar some symmetric then
to trailing union using values when where with within zone
"""
"""Words before a parenthesis that call nothing."""

_TYPES = """
bigint bit blob bool boolean bpchar char character date datetime dec decimal double float int int2 int4 int8
integer nchar numeric nvarchar real smallint text time timestamp timestamptz timetz uuid varbinary varbit
varchar varying
"""

_STANDARD = """
abs acos acosh asin asinh atan atan2 atanh avg bit_and bit_length bit_or ceil ceiling char_length
character_length chr coalesce concat concat_ws corr cos cosh count covar_pop covar_samp cume_dist
current_date current_time current_timestamp degrees dense_rank exp extract first_value floor greatest
grouping if ifnull iif initcap instr lag last_value lead least length ln localtime localtimestamp log log10
log2 lower lpad ltrim max min mod nth_value ntile nullif octet_length overlay percent_rank percentile_cont
percentile_disc pi position pow power quote radians rank replace reverse round row_number rpad rtrim sign
sin sinh sqrt stddev stddev_pop stddev_samp string_agg strpos substr substring sum tan tanh translate trim
trunc upper var_pop var_samp variance width_bucket
"""

_SQLITE = """
bm25 changes char concat concat_ws date datetime format fts3 generate_series glob group_concat hex highlight
json json_array json_array_length json_each json_error_position json_extract json_group_array
json_group_object json_insert json_object json_patch json_pretty json_quote json_remove json_replace
json_set json_tree json_type json_valid jsonb jsonb_array jsonb_each jsonb_extract jsonb_group_array
jsonb_group_object jsonb_insert jsonb_object jsonb_patch jsonb_remove jsonb_replace jsonb_set jsonb_tree
julianday last_insert_rowid like likelihood likely max median min nullif octet_length percentile
pragma_collation_list pragma_compile_options pragma_database_list pragma_foreign_key_list
pragma_function_list pragma_index_info pragma_index_list pragma_index_xinfo pragma_table_info
pragma_table_list pragma_table_xinfo printf random randomblob snippet soundex sqlite_compileoption_get
sqlite_compileoption_used sqlite_offset sqlite_source_id sqlite_version strftime string_agg subtype sum time
timediff total total_changes typeof unhex unicode unistr unistr_quote unixepoch unlikely zeroblob
"""

_POSTGRES = """
acosd age any_value array_agg array_append array_cat array_dims array_fill array_length array_lower
array_ndims array_position array_positions array_prepend array_remove array_replace array_reverse
array_sample array_shuffle array_sort array_to_json array_to_string array_to_tsvector array_upper ascii
asind atan2d atand bit_count bit_xor bool_and bool_or btrim cardinality casefold cbrt clock_timestamp
col_description convert convert_from convert_to cosd cot cotd crc32 crc32c current_catalog current_database
current_query current_schema current_schemas current_setting currval daitch_mokotoff date_add date_bin
date_part date_subtract date_trunc datemultirange daterange decode difference digest div dmetaphone
dmetaphone_alt encode enum_first enum_last enum_range erf erfc every extract factorial format format_type
gamma gcd gen_random_bytes gen_random_uuid generate_series generate_subscripts get_bit get_byte
has_any_column_privilege has_column_privilege has_database_privilege has_function_privilege
has_schema_privilege has_sequence_privilege has_table_privilege hmac icu_unicode_version inet_client_addr
inet_client_port inet_server_addr inet_server_port int4multirange int4range int8multirange int8range isempty
isfinite json_agg json_agg_strict json_array json_array_elements json_array_elements_text json_array_length
json_arrayagg json_build_array json_build_object json_each json_each_text json_exists json_extract_path
json_extract_path_text json_object json_object_agg json_object_agg_strict json_object_agg_unique
json_object_agg_unique_strict json_object_keys json_objectagg json_populate_record json_populate_recordset
json_query json_scalar json_serialize json_strip_nulls json_table json_to_record json_to_recordset
json_typeof json_value jsonb_agg jsonb_agg_strict jsonb_array_elements jsonb_array_elements_text
jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text jsonb_extract_path
jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_agg jsonb_object_agg_strict
jsonb_object_agg_unique jsonb_object_agg_unique_strict jsonb_object_keys jsonb_path_exists
jsonb_path_exists_tz jsonb_path_match jsonb_path_match_tz jsonb_path_query jsonb_path_query_array
jsonb_path_query_array_tz jsonb_path_query_first jsonb_path_query_first_tz jsonb_path_query_tz
jsonb_populate_record jsonb_populate_recordset jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls
jsonb_to_record jsonb_to_recordset jsonb_typeof justify_days justify_hours justify_interval lastval lcm left
levenshtein levenshtein_less_equal lgamma lower_inc lower_inf make_date make_interval make_time
make_timestamp make_timestamptz md5 metaphone min_scale mode multirange normalize now num_nonnulls num_nulls
nummultirange numnode numrange obj_description only overlaps parse_ident pg_backend_pid pg_client_encoding
pg_column_compression pg_column_size pg_conf_load_time pg_database_size pg_get_constraintdef pg_get_expr
pg_get_function_arguments pg_get_function_identity_arguments pg_get_function_result pg_get_functiondef
pg_get_indexdef pg_get_partkeydef pg_get_ruledef pg_get_serial_sequence pg_get_triggerdef pg_get_userbyid
pg_get_viewdef pg_has_role pg_indexes_size pg_input_is_valid pg_is_in_recovery pg_postmaster_start_time
pg_relation_size pg_size_pretty pg_table_is_visible pg_table_size pg_total_relation_size pg_typeof
phraseto_tsquery plainto_tsquery querytree quote_ident quote_literal quote_nullable random random_normal
range_agg range_intersect_agg range_merge regexp_count regexp_instr regexp_like regexp_match regexp_matches
regexp_replace regexp_split_to_array regexp_split_to_table regexp_substr regr_avgx regr_avgy regr_count
regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy repeat right row_security_active row_to_json
scale setweight sha224 sha256 sha384 sha512 shobj_description show_trgm similarity sind soundex split_part
starts_with statement_timestamp strict_word_similarity string_to_array string_to_table strip tand timeofday
timezone to_ascii to_bin to_char to_date to_hex to_json to_jsonb to_number to_oct to_regclass
to_regnamespace to_regproc to_regprocedure to_regrole to_regtype to_timestamp to_tsquery to_tsvector
transaction_timestamp trim_array trim_scale ts_delete ts_filter ts_headline ts_lexize ts_rank ts_rank_cd
tsmultirange tsquery_phrase tsrange tstzmultirange tstzrange tsvector_to_array unaccent unicode_version
unistr unnest upper_inc upper_inf uuid_extract_timestamp uuid_extract_version uuid_generate_v1
uuid_generate_v1mc uuid_generate_v3 uuid_generate_v4 uuid_generate_v5 uuidv4 uuidv7 version
websearch_to_tsquery word_similarity xml_is_well_formed xml_is_well_formed_content
xml_is_well_formed_document xmlagg xmlcomment xmlconcat xmlelement xmlexists xmlforest xmlparse xmlpi
xmlroot xmlserialize xpath xpath_exists
"""

SEQUENCES = frozenset({"nextval"})
"""Postgres functions that advance a sequence: no read, but a write may call them, and says so."""

_PHRASES = frozenset(
    {("ON", "CONFLICT"), ("FETCH", "FIRST"), ("FETCH", "NEXT")}
    | {("TABLESAMPLE", "BERNOULLI"), ("TABLESAMPLE", "SYSTEM")}
)
"""Words before a parenthesis that call nothing, with the word before them."""

_COMMON = frozenset((_WORDS + _TYPES + _STANDARD).split())
HARMLESS = {
    "sqlite": _COMMON | frozenset(_SQLITE.split()),
    "postgres": _COMMON | frozenset(_POSTGRES.split()),
}


def suspicious(tokens: Sequence[Token], dialect: str, also: frozenset[str] = frozenset()) -> str | None:
    """The first function called that is not known to be harmless.

    Judged by the text alone, name by name: whatever stands before a parenthesis must be a word, a
    type or a function of the lists, or visibly name something (after `AS`, `INTO`, `::`).
    """
    known = HARMLESS[dialect] | also
    for place, token in enumerate(tokens[:-1]):
        following = tokens[place + 1]
        if following.token_type is not TokenType.L_PAREN or not _is_name(token):
            continue
        before = _before(tokens, place)
        if before in ("AS", "INTO", "::") or _is_cte(tokens, place + 1):
            continue
        if (before, token.text.upper()) in _PHRASES or _is_merge_insert(tokens, place):
            continue
        if before == ".":
            qualifier = tokens[place - 2].text.lower()
            if _before(tokens, place - 2) == "INTO" or (
                qualifier == "pg_catalog" and token.text.lower() in known
            ):
                continue
            return f"{tokens[place - 2].text}.{token.text}"
        if not _is_known(token, known):
            return token.text
    return None


def _is_known(token: Token, known: frozenset[str]) -> bool:
    """Whether it is in the lists; of what is read as one token, like ORDER BY, every word must be."""
    text = token.text.lower()
    if text in known or token.token_type is TokenType.IDENTIFIER:
        return text in known
    words = text.split()
    return len(words) > 1 and _COMMON.issuperset(words)


def _is_name(token: Token) -> bool:
    if token.token_type is TokenType.IDENTIFIER:
        return True
    text = token.text
    return bool(text) and (text[0].isalpha() or text[0] == "_") and token.token_type is not TokenType.STRING


def _before(tokens: Sequence[Token], place: int) -> str:
    return tokens[place - 1].text.upper() if place > 0 else ""


def _is_cte(tokens: Sequence[Token], opening: int) -> bool:
    """Whether the parenthesis holds a CTE's columns: `q (a, b) AS (`."""
    rest = _rest(tokens, opening)
    while len(rest) > 1 and rest[1] in ("NOT", "MATERIALIZED"):
        del rest[1]
    return rest[:2] == ["AS", "("]


def _is_merge_insert(tokens: Sequence[Token], place: int) -> bool:
    """Whether it is MERGE's `THEN INSERT (a, b) VALUES`: no call could have VALUES behind it."""
    token = tokens[place]
    return (
        token.text.upper() == "INSERT"
        and token.token_type is not TokenType.IDENTIFIER
        and _before(tokens, place) == "THEN"
        and _rest(tokens, place + 1)[:1] in (["VALUES"], ["OVERRIDING"])
    )


def _rest(tokens: Sequence[Token], opening: int) -> list[str]:
    """The first words after the parenthesis that opens there; none, if it does not close."""
    depth = 0
    for place in range(opening, len(tokens)):
        kind = tokens[place].token_type
        depth += (kind is TokenType.L_PAREN) - (kind is TokenType.R_PAREN)
        if depth == 0:
            return [token.text.upper() for token in tokens[place + 1 : place + 5]]
    return []
