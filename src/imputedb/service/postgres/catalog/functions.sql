CREATE VIEW raw.z_relations AS SELECT c.oid AS z_oid, c.relname AS z_name, n.nspname AS z_schema, n.nspname || '.' || c.relname AS z_path
  FROM pg.pg_class c JOIN pg.pg_namespace n ON n.oid = c.relnamespace;

CREATE VIEW raw.z_hidden AS SELECT z_oid FROM raw.z_relations WHERE z_schema NOT IN ('public', 'pg_catalog');

CREATE VIEW raw.z_schemas AS SELECT oid AS z_oid, name AS z_name FROM raw.schemas;

CREATE VIEW raw.z_types AS SELECT oid AS z_oid, typname AS z_name, CASE typname
    WHEN 'bool' THEN 'boolean' WHEN 'int2' THEN 'smallint' WHEN 'int4' THEN 'integer' WHEN 'int8' THEN 'bigint' WHEN 'float4' THEN 'real'
    WHEN 'float8' THEN 'double precision' WHEN 'varchar' THEN 'character varying' WHEN 'bpchar' THEN 'character' WHEN 'time' THEN 'time without time zone'
    WHEN 'timestamp' THEN 'timestamp without time zone' WHEN 'timestamptz' THEN 'timestamp with time zone' WHEN 'timetz' THEN 'time with time zone'
    WHEN '_bool' THEN 'boolean[]' WHEN '_int2' THEN 'smallint[]' WHEN '_int4' THEN 'integer[]' WHEN '_int8' THEN 'bigint[]' WHEN '_float4' THEN 'real[]'
    WHEN '_float8' THEN 'double precision[]' WHEN '_timestamp' THEN 'timestamp without time zone[]' WHEN '_timestamptz' THEN 'timestamp with time zone[]'
    ELSE CASE WHEN typname[1] = '_' THEN typname[2:] || '[]' ELSE typname END END AS z_words FROM pg.pg_type;

CREATE VIEW raw.z_constraints AS SELECT oid AS z_oid, index_oid AS z_index, name AS z_name, relation AS z_relation, keys AS z_keys, definition AS z_text,
    'CREATE UNIQUE INDEX ' || name || ' ON ' || (SELECT min(z_path) FROM raw.z_relations WHERE z_oid = relation) || ' USING btree ' ||
    regexp_extract(definition, '\(.*\)') AS z_made FROM raw.constraints;

CREATE VIEW raw.z_columns AS SELECT relation AS z_relation, number AS z_number, name AS z_name FROM raw.columns;

CREATE VIEW raw.z_functions AS SELECT oid AS z_oid, name AS z_name, array_to_string(arguments, ', ') AS z_arguments, returns_set AS z_set, definition AS z_text
  FROM raw.functions;

CREATE VIEW raw.z_views AS SELECT oid AS z_oid, definition AS z_text FROM raw.relations;

CREATE VIEW raw.z_remarks AS SELECT objoid AS z_oid, classoid AS z_class, objsubid AS z_number, description AS z_text FROM pg.pg_description;

CREATE MACRO pg_oid_of_regclass(n) AS (SELECT min(z_oid) FROM raw.z_relations
  WHERE (CASE WHEN contains(n::VARCHAR, '.') THEN z_path ELSE z_name END) = replace(n::VARCHAR, '"', '')
    AND (contains(n::VARCHAR, '.') OR z_schema IN ('public', 'pg_catalog')) OR z_oid = try_cast(n AS UINTEGER));

CREATE MACRO pg_name_of_regclass(o) AS coalesce((SELECT CASE WHEN z_schema IN ('public', 'pg_catalog') THEN z_name ELSE z_path END
  FROM raw.z_relations WHERE z_oid = try_cast(o AS UINTEGER)), o::VARCHAR);

CREATE MACRO pg_oid_of_regnamespace(n) AS (SELECT min(z_oid) FROM raw.z_schemas WHERE z_name = replace(n::VARCHAR, '"', ''));

CREATE MACRO pg_name_of_regnamespace(o) AS coalesce((SELECT z_name FROM raw.z_schemas WHERE z_oid = try_cast(o AS UINTEGER)), o::VARCHAR);

CREATE MACRO pg_oid_of_regproc(n) AS (SELECT min(z_oid) FROM raw.z_functions WHERE z_name = replace(replace(n::VARCHAR, '"', ''), 'public.', ''));

CREATE MACRO pg_name_of_regproc(o) AS coalesce((SELECT z_name FROM raw.z_functions WHERE z_oid = try_cast(o AS UINTEGER)), o::VARCHAR);

CREATE MACRO format_type(o, modifier) AS (SELECT CASE WHEN z_name = 'numeric' AND modifier > 0
    THEN 'numeric(' || ((modifier - 4) >> 16) || ',' || ((modifier - 4) & 65535) || ')' ELSE z_words END FROM raw.z_types WHERE z_oid = o);

CREATE MACRO pg_oid_of_regtype(n) AS (SELECT min(z_oid) FROM raw.z_types
  WHERE replace(replace(lower(n::VARCHAR), 'pg_catalog.', ''), '"', '') IN (z_name, z_words) OR z_oid = try_cast(n AS UINTEGER));

CREATE MACRO pg_name_of_regtype(o) AS coalesce(format_type(try_cast(o AS UINTEGER), -1), o::VARCHAR);

CREATE VIEW raw.z_settings AS SELECT name AS z_name, setting AS z_text FROM raw.settings;

CREATE MACRO current_setting(n) AS (SELECT min(z_text) FROM raw.z_settings WHERE z_name = lower(n)),
  (n, missing_ok) AS (SELECT min(z_text) FROM raw.z_settings WHERE z_name = lower(n));

CREATE MACRO to_regclass(n) AS pg_oid_of_regclass(n);

CREATE MACRO to_regtype(n) AS pg_oid_of_regtype(n);

CREATE MACRO to_regnamespace(n) AS pg_oid_of_regnamespace(n);

CREATE MACRO current_schemas(implicit) AS CASE WHEN implicit THEN ['pg_catalog', 'public'] ELSE ['public'] END;

CREATE MACRO current_schema() AS 'public';

CREATE MACRO current_database() AS (SELECT name FROM raw.database);

CREATE MACRO version() AS (SELECT version FROM raw.database);

CREATE MACRO pg_postmaster_start_time() AS TIMESTAMPTZ '2000-01-01 00:00:00+00';

CREATE MACRO pg_conf_load_time() AS TIMESTAMPTZ '2000-01-01 00:00:00+00';

CREATE MACRO pg_is_in_recovery() AS false;

CREATE MACRO pg_is_wal_replay_paused() AS false;

CREATE MACRO inet_server_addr() AS NULL::VARCHAR;

CREATE MACRO inet_client_addr() AS NULL::VARCHAR;

CREATE MACRO inet_server_port() AS NULL::INTEGER;

CREATE MACRO txid_current() AS 1::BIGINT;

CREATE MACRO pg_my_temp_schema() AS 0::UINTEGER;

CREATE MACRO pg_advisory_unlock_all() AS NULL::VARCHAR;

CREATE MACRO pg_advisory_unlock(k) AS true;

CREATE MACRO pg_advisory_lock(k) AS NULL::VARCHAR;

CREATE MACRO pg_try_advisory_lock(k) AS true;

CREATE MACRO pg_get_userbyid(o) AS 'imputedb';

CREATE MACRO pg_encoding_to_char(e) AS CASE e WHEN 6 THEN 'UTF8' ELSE '' END;

CREATE MACRO pg_char_to_encoding(e) AS 6;

CREATE MACRO pg_client_encoding() AS 'UTF8';

CREATE MACRO getdatabaseencoding() AS 'UTF8';

CREATE MACRO pg_get_expr(e, r) AS e::VARCHAR, (e, r, pretty) AS e::VARCHAR;

CREATE MACRO pg_get_viewdef(v) AS (SELECT z_text FROM raw.z_views WHERE z_oid = try_cast(v AS UINTEGER)),
  (v, pretty) AS (SELECT z_text FROM raw.z_views WHERE z_oid = try_cast(v AS UINTEGER));

CREATE MACRO pg_get_constraintdef(o) AS (SELECT z_text FROM raw.z_constraints WHERE z_oid = o),
  (o, pretty) AS (SELECT z_text FROM raw.z_constraints WHERE z_oid = o);

CREATE MACRO pg_get_indexdef(o) AS (SELECT z_made FROM raw.z_constraints WHERE z_index = o),
  (o, place, pretty) AS (SELECT CASE WHEN place = 0 THEN zk.z_made ELSE zc.z_name END FROM raw.z_constraints zk LEFT JOIN raw.z_columns zc
    ON zc.z_relation = zk.z_relation AND zc.z_number = zk.z_keys[place] WHERE zk.z_index = o);

CREATE MACRO pg_get_partkeydef(o) AS NULL::VARCHAR;

CREATE MACRO pg_get_triggerdef(o) AS NULL::VARCHAR, (o, pretty) AS NULL::VARCHAR;

CREATE MACRO pg_get_ruledef(o) AS NULL::VARCHAR, (o, pretty) AS NULL::VARCHAR;

CREATE MACRO pg_get_statisticsobjdef_columns(o) AS NULL::VARCHAR;

CREATE MACRO pg_get_serial_sequence(t, c) AS NULL::VARCHAR;

CREATE MACRO pg_get_functiondef(o) AS (SELECT z_text FROM raw.z_functions WHERE z_oid = o);

CREATE MACRO pg_get_function_result(o) AS (SELECT CASE WHEN z_set THEN 'SETOF record' ELSE 'any' END FROM raw.z_functions WHERE z_oid = o);

CREATE MACRO pg_get_function_arguments(o) AS (SELECT z_arguments FROM raw.z_functions WHERE z_oid = o);

CREATE MACRO pg_get_function_identity_arguments(o) AS (SELECT z_arguments FROM raw.z_functions WHERE z_oid = o);

CREATE MACRO pg_get_function_sqlbody(o) AS (SELECT z_text FROM raw.z_functions WHERE z_oid = o);

CREATE MACRO array_remove(a, v) AS list_filter(a, lambda x: x IS DISTINCT FROM v);

CREATE MACRO pg_function_is_visible(o) AS true;

CREATE MACRO pg_type_is_visible(o) AS true;

CREATE MACRO pg_collation_is_visible(o) AS true;

CREATE MACRO pg_operator_is_visible(o) AS true;

CREATE MACRO pg_opclass_is_visible(o) AS true;

CREATE MACRO pg_statistics_obj_is_visible(o) AS true;

CREATE MACRO pg_table_is_visible(o) AS (o NOT IN (SELECT z_oid FROM raw.z_hidden));

CREATE MACRO pg_relation_is_publishable(o) AS false;

CREATE MACRO pg_relation_is_updatable(o, t) AS 0;

CREATE MACRO pg_column_is_updatable(o, n, t) AS false;

CREATE MACRO pg_index_column_has_property(i, n, p) AS false;

CREATE MACRO pg_indexam_has_property(i, p) AS false;

CREATE MACRO pg_index_has_property(i, p) AS false;

CREATE MACRO pg_table_size(o) AS 0::BIGINT;

CREATE MACRO pg_total_relation_size(o) AS 0::BIGINT;

CREATE MACRO pg_indexes_size(o) AS 0::BIGINT;

CREATE MACRO pg_relation_size(o) AS 0::BIGINT, (o, fork) AS 0::BIGINT;

CREATE MACRO pg_database_size(o) AS 0::BIGINT;

CREATE MACRO pg_tablespace_size(o) AS 0::BIGINT;

CREATE MACRO pg_tablespace_location(o) AS '';

CREATE MACRO pg_size_pretty(n) AS n || ' bytes';

CREATE MACRO pg_relation_filenode(o) AS 0::UINTEGER;

CREATE MACRO pg_partition_ancestors(o) AS unnest([]::UINTEGER[]);

CREATE MACRO pg_partition_ancestors(o) AS TABLE SELECT o::UINTEGER AS relid, 1 AS depth WHERE false;

CREATE MACRO pg_inherits_of(o) AS NULL::UINTEGER;

CREATE MACRO obj_description(o) AS (SELECT min(z_text) FROM raw.z_remarks WHERE z_oid = o AND z_number = 0),
  (o, catalog) AS (SELECT min(z_text) FROM raw.z_remarks WHERE z_oid = o AND z_number = 0 AND z_class = pg_oid_of_regclass(catalog));

CREATE MACRO col_description(o, n) AS (SELECT min(z_text) FROM raw.z_remarks WHERE z_oid = o AND z_number = n AND z_class = 1259);

CREATE MACRO shobj_description(o, catalog) AS NULL::VARCHAR;

CREATE MACRO has_table_privilege(t, p) AS contains(lower(p), 'select'), (u, t, p) AS contains(lower(p), 'select');

CREATE MACRO has_any_column_privilege(t, p) AS contains(lower(p), 'select'), (u, t, p) AS contains(lower(p), 'select');

CREATE MACRO has_column_privilege(t, c, p) AS contains(lower(p), 'select'), (u, t, c, p) AS contains(lower(p), 'select');

CREATE MACRO has_schema_privilege(s, p) AS contains(lower(p), 'usage'), (u, s, p) AS contains(lower(p), 'usage');

CREATE MACRO has_database_privilege(d, p) AS contains(lower(p), 'connect'), (u, d, p) AS contains(lower(p), 'connect');

CREATE MACRO has_function_privilege(f, p) AS true, (u, f, p) AS true;

CREATE MACRO has_sequence_privilege(s, p) AS false, (u, s, p) AS false;

CREATE MACRO has_tablespace_privilege(s, p) AS false, (u, s, p) AS false;

CREATE MACRO has_type_privilege(s, p) AS true, (u, s, p) AS true;

CREATE MACRO pg_has_role(r, p) AS true, (u, r, p) AS true;

CREATE MACRO quote_ident(n) AS CASE WHEN regexp_full_match(n, '[a-z_][a-z0-9_$]*') THEN n ELSE '"' || replace(n, '"', '""') || '"' END;

CREATE MACRO quote_literal(n) AS '''' || replace(n::VARCHAR, '''', '''''') || '''';

CREATE MACRO parse_ident(n) AS string_split(replace(n, '"', ''), '.'), (n, strict) AS string_split(replace(n, '"', ''), '.');

CREATE MACRO array_upper(a, n) AS CASE WHEN n = 1 AND len(a) > 0 THEN len(a) END;

CREATE MACRO array_lower(a, n) AS CASE WHEN n = 1 AND len(a) > 0 THEN 1 END;

CREATE MACRO _pg_expandarray(a) AS unnest(list_transform(a, lambda x, i: {'x': x, 'n': i}));

CREATE MACRO _pg_truetypid(a, t) AS a;

CREATE MACRO _pg_truetypmod(a, t) AS -1;

CREATE MACRO age(x) AS 0;

CREATE MACRO pg_get_keywords() AS TABLE SELECT 'select' AS word, 'R' AS catcode, false AS barelabel, 'reserved' AS catdesc, 'requires AS' AS baredesc;

CREATE MACRO pg_show_all_settings() AS TABLE SELECT name, setting FROM raw.settings;

CREATE MACRO pg_available_extensions() AS TABLE SELECT ''::VARCHAR AS name WHERE false;

CREATE MACRO pg_options_to_table(o) AS TABLE SELECT ''::VARCHAR AS option_name, ''::VARCHAR AS option_value WHERE false;
