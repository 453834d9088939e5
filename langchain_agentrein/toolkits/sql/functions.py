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
changes char date datetime format fts3 glob group_concat hex json json_array json_array_length json_each
json_extract json_group_array json_group_object json_insert json_object json_patch json_quote json_remove
json_replace json_set json_tree json_type json_valid julianday last_insert_rowid like likelihood likely max
min nullif pragma_collation_list pragma_compile_options pragma_database_list pragma_foreign_key_list
pragma_function_list pragma_index_info pragma_index_list pragma_index_xinfo pragma_table_info
pragma_table_list pragma_table_xinfo printf random randomblob soundex sqlite_version strftime sum time
timediff total total_changes typeof unhex unicode unixepoch unlikely zeroblob
"""

_POSTGRES = """
age array_agg array_append array_cat array_dims array_fill array_length array_lower array_ndims
array_position array_positions array_prepend array_remove array_replace array_to_json array_to_string
array_upper ascii bool_and bool_or btrim cardinality cbrt clock_timestamp col_description convert
convert_from convert_to current_database current_schema current_schemas current_setting date_bin date_part
date_trunc daterange decode div encode enum_first enum_last enum_range every extract factorial format
format_type gcd gen_random_uuid generate_series generate_subscripts get_bit get_byte has_column_privilege
has_schema_privilege has_table_privilege inet_client_addr inet_server_addr int4range int8range isempty
isfinite json_agg json_array_elements json_array_elements_text json_array_length json_build_array
json_build_object json_each json_each_text json_extract_path json_extract_path_text json_object
json_object_agg json_object_keys json_populate_record json_populate_recordset json_strip_nulls
json_to_record json_to_recordset json_typeof jsonb_agg jsonb_array_elements jsonb_array_elements_text
jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text jsonb_extract_path
jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_agg jsonb_object_keys jsonb_path_exists
jsonb_path_match jsonb_path_query jsonb_path_query_array jsonb_path_query_first jsonb_populate_record
jsonb_populate_recordset jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls jsonb_to_record
jsonb_to_recordset jsonb_typeof justify_days justify_hours justify_interval lcm left lower_inc lower_inf
make_date make_interval make_time make_timestamp make_timestamptz md5 mode multirange normalize now
num_nonnulls num_nulls numrange obj_description parse_ident pg_column_size pg_database_size
pg_get_constraintdef pg_get_expr pg_get_functiondef pg_get_indexdef pg_get_serial_sequence pg_get_viewdef
pg_indexes_size pg_relation_size pg_size_pretty pg_table_is_visible pg_table_size pg_total_relation_size
pg_typeof phraseto_tsquery plainto_tsquery quote_ident quote_literal quote_nullable random range_agg
range_merge regexp_count regexp_instr regexp_like regexp_match regexp_matches regexp_replace
regexp_split_to_array regexp_split_to_table regexp_substr regr_avgx regr_avgy regr_count regr_intercept
regr_r2 regr_slope regr_sxx regr_sxy regr_syy repeat right row_to_json scale setweight sha224 sha256 sha384
sha512 similarity split_part starts_with statement_timestamp string_to_array string_to_table strip timeofday
timezone to_ascii to_char to_date to_hex to_json to_jsonb to_number to_regclass to_regtype to_timestamp
to_tsquery to_tsvector transaction_timestamp trim_array trim_scale ts_headline ts_rank ts_rank_cd tsrange
tstzrange unistr unnest upper_inc upper_inf uuid_generate_v4 version websearch_to_tsquery word_similarity
xmlagg xmlconcat xmlelement xmlforest xmlparse
"""

SEQUENCES = frozenset({"nextval"})
"""Postgres functions that advance a sequence: no read, but a write may call them, and says so."""

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
        if before == "ON" and token.text.upper() == "CONFLICT":
            continue
        if before == ".":
            qualifier = tokens[place - 2].text.lower()
            if _before(tokens, place - 2) == "INTO" or (
                qualifier == "pg_catalog" and token.text.lower() in known
            ):
                continue
            return f"{tokens[place - 2].text}.{token.text}"
        if token.text.lower() not in known:
            return token.text
    return None


def _is_name(token: Token) -> bool:
    if token.token_type is TokenType.IDENTIFIER:
        return True
    text = token.text
    return bool(text) and (text[0].isalpha() or text[0] == "_") and token.token_type is not TokenType.STRING


def _before(tokens: Sequence[Token], place: int) -> str:
    return tokens[place - 1].text.upper() if place > 0 else ""


def _is_cte(tokens: Sequence[Token], opening: int) -> bool:
    """Whether the parenthesis holds a CTE's columns: `q (a, b) AS (`."""
    depth = 0
    for place in range(opening, len(tokens)):
        kind = tokens[place].token_type
        depth += (kind is TokenType.L_PAREN) - (kind is TokenType.R_PAREN)
        if depth == 0:
            rest = [token.text.upper() for token in tokens[place + 1 : place + 5]]
            while len(rest) > 1 and rest[1] in ("NOT", "MATERIALIZED"):
                del rest[1]
            return rest[:2] == ["AS", "("]
    return False
