-- Statements made to get a change past the judgement, parted by lines of "--". The schema is that of tests/integration/test_attempts.py.
--
SELECT w()
--
SELECT wd()
--
SELECT wi(1)
--
EXPLAIN SELECT wi(1)
--
SELECT agg(id) FROM t
--
SELECT agg(id) OVER () FROM t
--
SELECT dflt()
--
SELECT 1 === 2
--
SELECT 1 OPERATOR(app.===) 2
--
SELECT id FROM t WHERE id === ANY(ARRAY[1,2])
--
SELECT * FROM v
--
SELECT * FROM v2
--
TABLE v2
--
SELECT z FROM v2 LIMIT 1
--
SELECT * FROM vnext
--
SELECT ROW(1)::comp::int
--
SELECT CAST(ROW(1)::app.comp AS int)
--
SELECT 1::dom
--
SELECT '1'::app.dom
--
SELECT t.attr FROM t
--
SELECT (t).attr FROM t
--
SELECT attr(t) FROM t
--
SELECT x.attr FROM t AS x
--
SELECT * FROM coll()
--
SELECT * FROM ROWS FROM (coll(), generate_series(1,2))
--
SELECT * FROM t, LATERAL coll()
--
SELECT 1 FROM t ORDER BY w()
--
SELECT 1 FROM t GROUP BY w()
--
SELECT 1 FROM t LIMIT w()
--
SELECT 1 FROM t OFFSET (SELECT w())
--
SELECT count(*) FILTER (WHERE w()=1) FROM t
--
SELECT sum(id) OVER (ORDER BY id ROWS BETWEEN w() PRECEDING AND CURRENT ROW) FROM t
--
SELECT * FROM t TABLESAMPLE SYSTEM (w())
--
SELECT * FROM t TABLESAMPLE BERNOULLI (10) REPEATABLE (w())
--
SELECT * FROM generate_series(1, w())
--
SELECT dynf('INSERT INTO app.log VALUES(1)')
--
CALL pr()
--
SELECT query_to_xml('INSERT INTO app.log VALUES(1) RETURNING 1', true, true, '')
--
SELECT query_to_xml('SELECT app.wd()', true, true, '')
--
SELECT query_to_xmlschema('SELECT app.wd()', true, true, '')
--
SELECT query_to_xml_and_xmlschema('SELECT app.wd()', true, true, '')
--
SELECT cursor_to_xml('x',1,true,true,'')
--
SELECT table_to_xml('app.v', true, true, '')
--
SELECT table_to_xml_and_xmlschema('app.v', true, true, '')
--
SELECT schema_to_xml('app', true, true, '')
--
SELECT schema_to_xml_and_xmlschema('app', true, true, '')
--
SELECT database_to_xml(true, true, '')
--
SELECT database_to_xml_and_xmlschema(true, true, '')
--
SELECT ts_stat('SELECT app.wd()::text::tsvector')
--
SELECT * FROM ts_stat('SELECT to_tsvector(''a'') FROM app.v')
--
SELECT ts_rewrite('a'::tsquery, 'SELECT ''a''::tsquery, ''b''::tsquery FROM app.v')
--
SELECT nextval('s')
--
SELECT nextval('app.s'::regclass)
--
SELECT setval('s', 5)
--
SELECT currval('s')
--
SELECT lastval()
--
SELECT set_config('search_path','public',false)
--
SELECT * FROM (SELECT set_config('app.x','1',true)) q
--
SELECT set_config(n, v, true) FROM (VALUES ('search_path','public')) x(n,v)
--
UPDATE pg_settings SET setting='public' WHERE name='search_path'
--
WITH x AS (UPDATE pg_settings SET setting='public' WHERE name='search_path' RETURNING 1) SELECT 1
--
SELECT pg_advisory_lock(1)
--
SELECT pg_try_advisory_xact_lock(1)
--
SELECT pg_try_advisory_lock_shared(1,2)
--
SELECT pg_notify('a','b')
--
LISTEN a
--
SELECT txid_current()
--
SELECT pg_export_snapshot()
--
SELECT pg_logical_emit_message(true,'a','b')
--
SELECT pg_switch_wal()
--
SELECT pg_create_restore_point('a')
--
SELECT lo_create(0)
--
SELECT lo_creat(-1)
--
SELECT lo_from_bytea(0,'\x00')
--
SELECT lo_import('/etc/passwd')
--
SELECT pg_read_file('PG_VERSION')
--
SELECT pg_read_binary_file('PG_VERSION')
--
SELECT pg_ls_dir('.')
--
SELECT pg_stat_file('PG_VERSION')
--
SELECT pg_stat_reset()
--
SELECT pg_stat_reset_shared('bgwriter')
--
SELECT pg_reload_conf()
--
SELECT pg_rotate_logfile()
--
SELECT pg_collation_actual_version(100)
--
SELECT pg_import_system_collations('pg_catalog')
--
SELECT pg_extension_config_dump('t','')
--
SELECT pg_replication_origin_create('x')
--
SELECT brin_summarize_new_values('t_pkey')
--
SELECT gin_clean_pending_list('t_pkey')
--
SELECT pg_relation_size('t')
--
SELECT * FROM pg_logical_slot_get_changes('x',null,null)
--
SELECT * FROM pg_logical_slot_peek_changes('x',null,null)
--
SELECT pg_create_physical_replication_slot('zz')
--
SELECT * FROM t FOR UPDATE
--
SELECT * FROM (SELECT * FROM t FOR UPDATE) q
--
SELECT * FROM (SELECT * FROM t FOR KEY SHARE SKIP LOCKED) q
--
SELECT (SELECT id FROM t LIMIT 1 FOR SHARE)
--
WITH q AS (SELECT * FROM t FOR NO KEY UPDATE NOWAIT) SELECT * FROM q
--
SELECT EXISTS (SELECT 1 FROM t FOR UPDATE)
--
WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d
--
WITH d AS (DELETE FROM t RETURNING *) SELECT 1
--
COPY (DELETE FROM t RETURNING *) TO STDOUT
--
COPY (WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d) TO STDOUT
--
COPY (SELECT wd()) TO STDOUT
--
COPY (INSERT INTO t VALUES (9) RETURNING id) TO STDOUT
--
COPY v TO STDOUT
--
EXPLAIN ANALYZE DELETE FROM t
--
EXPLAIN (ANALYZE on, COSTS off) UPDATE t SET a='x'
--
EXPLAIN (ANALYZE 1) INSERT INTO log VALUES ('x')
--
EXPLAIN (ANALYZE 0, ANALYZE 1) INSERT INTO log VALUES ('x')
--
EXPLAIN (ANALYZE 1, ANALYZE 0) INSERT INTO log VALUES ('x')
--
EXPLAIN (analyze 'on') INSERT INTO log VALUES ('x')
--
EXPLAIN ("analyze") INSERT INTO log VALUES ('x')
--
EXPLAIN ("ANALYZE") INSERT INTO log VALUES ('x')
--
EXPLAIN (ANALYZE ON) SELECT 1 FROM t FOR UPDATE
--
EXPLAIN ANALYZE EXECUTE p
--
EXPLAIN ANALYZE DECLARE c CURSOR FOR SELECT wd()
--
EXPLAIN ANALYZE CREATE TABLE z AS SELECT 1
--
EXPLAIN (ANALYZE, SERIALIZE) SELECT wd()
--
SELECT 1 INTO zz
--
SELECT * INTO TEMP zz FROM t
--
CREATE TEMP TABLE zz AS SELECT 1
--
PREPARE p AS DELETE FROM t; EXECUTE p
--
PREPARE p AS SELECT wd(); EXECUTE p
--
PREPARE p(int) AS SELECT $1; EXECUTE p(wd())
--
PREPARE p(int) AS SELECT $1; EXPLAIN EXECUTE p(wd())
--
DECLARE c CURSOR FOR SELECT wd(); FETCH ALL c
--
DECLARE c CURSOR FOR SELECT wd(); MOVE ALL c
--
DECLARE c CURSOR FOR SELECT * FROM t FOR UPDATE; FETCH ALL c
--
DO $$BEGIN PERFORM app.wd(); END$$
--
DO LANGUAGE plpgsql 'begin perform app.wd(); end'
--
SELECT 1; DELETE FROM t
--
SELECT 1;;; DELETE FROM t;
--
SELECT 1 \; DELETE FROM t
--
SELECT $é$ $é$; DELETE FROM t
--
SELECT $$a$$ /* /* */ ; */; DELETE FROM t
--
SELECT 'a\'; DELETE FROM t; --'
--
SELECT E'a\'; DELETE FROM t; --'
--
SELECT U&'\0027'; DELETE FROM t
--
SELECT U&"w"()
--
SELECT U&"\0077d"()
--
SELECT U&"!0077d" UESCAPE '!' ()
--
SELECT U&"w!0064" UESCAPE '!'()
--
SELECT "wd"()
--
SELECT WD()
--
SELECT app.wd()
--
SELECT attack.app.wd()
--
SELECT wd ( )
--
SELECT wd/**/()
--
SELECT xmlparse(document '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>')
--
SELECT '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>'::xml
--
SELECT XMLELEMENT(name a, wd())
--
SELECT XMLFOREST(wd() AS b)
--
SELECT * FROM XMLTABLE('/a' PASSING ('<a>' || wd() || '</a>')::xml COLUMNS x int PATH '.')
--
SELECT * FROM XMLTABLE('/a' PASSING '<a>1</a>'::xml COLUMNS x int PATH 'b' DEFAULT wd())
--
SELECT JSON_OBJECT('a': wd())
--
SELECT JSON_ARRAY(wd())
--
SELECT JSON_ARRAYAGG(wd())
--
SELECT JSON_VALUE('{}', '$.a' DEFAULT wd() ON EMPTY)
--
SELECT JSON_QUERY('{}', '$.a' PASSING wd() AS x)
--
SELECT * FROM JSON_TABLE('[1]', '$[*]' PASSING wd() AS q COLUMNS (a int PATH '$' DEFAULT wd() ON EMPTY))
--
SELECT COALESCE(NULL, wd())
--
SELECT GREATEST(1, wd())
--
SELECT NULLIF(wd(), 2)
--
SELECT CASE WHEN wd()=1 THEN 1 END
--
SELECT CASE wd() WHEN 1 THEN 1 END
--
SELECT ARRAY(SELECT wd())
--
SELECT ARRAY[wd()]
--
SELECT (ARRAY[1,2])[wd()]
--
SELECT (ARRAY[1,2])[1:wd()]
--
SELECT ROW(wd())
--
SELECT wd() IS NULL
--
SELECT wd() BETWEEN 1 AND 2
--
SELECT 1 WHERE wd() IN (1,2)
--
SELECT 1 WHERE 1 = ANY (SELECT wd())
--
SELECT 'a' COLLATE "C", wd()::text COLLATE "C"
--
SELECT now() AT TIME ZONE (wd()::text)
--
VALUES (wd())
--
SELECT * FROM (VALUES (wd())) x
--
SELECT DISTINCT ON (wd()) 1
--
SELECT 1 UNION ALL SELECT wd()
--
WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT wd() FROM r WHERE false) SELECT * FROM r
--
WITH x AS MATERIALIZED (SELECT wd()) SELECT 1
--
SELECT GROUPING(wd()) FROM t GROUP BY wd()
--
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY wd()) FROM t
--
SELECT rank(wd()) WITHIN GROUP (ORDER BY id) FROM t
--
SELECT * FROM t JOIN t u ON wd()=1
--
SELECT t.* FROM t WHERE EXISTS (SELECT 1 WHERE wd()=1)
--
SELECT lower(a=>(wd()::text)) FROM t
--
SELECT format(VARIADIC ARRAY[wd()::text])
--
SELECT 'app.wd()'::regprocedure
--
SELECT 'app.s'::regclass
--
SELECT to_regclass('app.s')
--
SELECT pg_get_viewdef('app.v')
--
SELECT pg_sequence_last_value('app.s')
--
SELECT pg_get_serial_sequence('app.t','id')
--
SELECT col_description(1,1)
--
SELECT has_table_privilege('t','select')
--
SELECT pg_cancel_backend(1)
--
SELECT pg_terminate_backend(1)
--
SELECT pg_log_backend_memory_contexts(pg_backend_pid())
--
SELECT pg_sleep(0)
--
SELECT pg_promote()
--
SELECT pg_backup_start('a')
--
SELECT binary_upgrade_set_next_pg_type_oid(1::oid)
--
SELECT pg_nextoid('pg_class','oid','pg_class_oid_index')
--
SELECT currtid2('t','(0,1)')
--
SELECT pg_stat_get_snapshot_timestamp()
--
SELECT pg_stat_clear_snapshot()
--
SELECT pg_stat_force_next_flush()
--
SELECT pg_restore_relation_stats('schemaname','app','relname','t')
--
SELECT pg_clear_relation_stats('app','t')
--
SELECT setseed(0.1)
--
SELECT random()
--
SELECT gen_random_uuid()
--
SELECT pg_trigger_depth()
--
SELECT pg_ls_logdir()
--
SELECT pg_current_logfile()
--
SELECT pg_hba_file_rules()
--
SELECT pg_show_all_file_settings()
--
SELECT pg_config()
--
SELECT dblink_connect('')
--
SELECT loread(0,1)
--
SELECT lo_open(1,131072)
--
SELECT lowrite(0,'a')
--
SELECT int4_sum(1,2)
--
SELECT pg_event_trigger_ddl_commands()
--
SELECT pg_prepared_xact()
--
SELECT pg_identify_object(1,1,0)
--
SELECT pg_xact_commit_timestamp('1')
--
SELECT pg_snapshot_xip(pg_current_snapshot())
--
SELECT pg_current_xact_id()
--
SELECT pg_lock_status()
--
SELECT pg_safe_snapshot_blocking_pids(1)
--
SELECT suppress_redundant_updates_trigger()
--
SELECT RI_FKey_check_ins()
--
SELECT pg_rotate_logfile_old()
--
SELECT ok(1)
--
MERGE INTO t USING (SELECT 1 AS id) s ON t.id=s.id WHEN MATCHED THEN DELETE
--
WITH m AS (MERGE INTO t USING (SELECT 1 AS id) s ON t.id=s.id WHEN MATCHED THEN DELETE RETURNING 1) SELECT * FROM m
--
INSERT INTO t VALUES (5) ON CONFLICT DO NOTHING
--
WITH x AS (SELECT 1) INSERT INTO log SELECT 'x' FROM x
--
TRUNCATE t
--
LOCK t
--
LOCK TABLE t IN ACCESS SHARE MODE
--
SECURITY LABEL ON TABLE t IS 'x'
--
COMMENT ON TABLE t IS 'x'
--
REFRESH MATERIALIZED VIEW v
--
IMPORT FOREIGN SCHEMA a FROM SERVER b INTO c
--
REASSIGN OWNED BY postgres TO postgres
--
SET CONSTRAINTS ALL DEFERRED
--
SET LOCAL search_path = public
--
SET TRANSACTION READ WRITE
--
SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE
--
RESET ALL
--
DISCARD TEMP
--
SET standard_conforming_strings=off; SELECT 'a\'; DELETE FROM t; --'
--
SET backslash_quote=on
--
SET client_encoding='SJIS'
--
SET NAMES 'GBK'
--
SET TIME ZONE 'UTC'
--
SET XML OPTION DOCUMENT
--
SET SEED TO 0.5
--
SET SESSION AUTHORIZATION postgres
--
BEGIN; DELETE FROM t
--
SAVEPOINT q; DELETE FROM t; ROLLBACK TO q
--
REINDEX TABLE t
--
ANALYZE t
--
CHECKPOINT
--
SELECT 1 WHERE (SELECT wd()) IS DISTINCT FROM 3
--
SELECT json_populate_record(null::app.comp, '{"a":1}')
--
SELECT jsonb_populate_record(null::t, '{"id":1}')
--
SELECT * FROM json_to_record('{"a":1}') AS x(a dom)
--
SELECT * FROM jsonb_to_recordset('[{"a":1}]') AS x(a app.dom)
--
SELECT json_populate_record(null::app.cdom, '{"a":1}')
--
SELECT * FROM XMLTABLE('/a' PASSING '<a>1</a>'::xml COLUMNS x app.dom PATH '.')
--
SELECT ARRAY['1']::dom[]
--
SELECT '{1}'::dom[]
--
SELECT dom '1'
--
SELECT CAST('1' AS dom)
--
SELECT JSON_VALUE('1', '$' RETURNING app.dom)
--
SELECT * FROM JSON_TABLE('[1]', '$[*]' COLUMNS (a dom PATH '$'))
--
SELECT jsonb_populate_recordset(null::app.cd, '[{"a":1}]')
--
SELECT JSON_SERIALIZE('1')
--
SELECT id FROM t ORDER BY id USING ===
--
SELECT (1) operator(app . ===) 2
--
SELECT NOT 1===1
--
SELECT CASE 1 WHEN 1 THEN 2 END
--
SELECT 'x' SIMILAR TO 'y' ESCAPE wd()::text
--
SELECT OVERLAY('a' PLACING wd()::text FROM 1)
--
SELECT EXTRACT(year FROM (now() + wd() * interval '1s'))
--
SELECT substring('a' FROM wd())
--
SELECT TRIM(wd()::text FROM 'a')
--
SELECT POSITION('a' IN wd()::text)
--
SELECT TREAT(1 AS app.wd)
--
SELECT a'wd'
--
SELECT a FROM t WHERE CURRENT OF c
--
SELECT float8 'NaN', wd '1'
--
SELECT ('1').dom
--
SELECT (text '1').dom
--
SELECT dom('1')
--
SELECT app.dom('1')
--
SELECT '{"(1)"}'::_comp
--
SELECT ARRAY[ROW(1)]::comp[]::int[]
--
EXPLAIN SELECT '1'::dom
--
EXPLAIN SELECT dflt()
--
SELECT jsonb_populate_record(null::dd, '{"d":1}')
--
SELECT jsonb_populate_record(null::app.dtab, '{"d":1}')
--
SELECT '(1)'::dtab
--
SELECT '1'::dd2
--
SELECT useddom()
--
SELECT argdom(1)
--
SELECT '["1","2"]'::jsonb
--
SELECT id::text, a::varchar(3), '5'::int, id::bigint FROM t
--
SELECT 1::int4
--
DO $$DECLARE x app.dom; BEGIN x := 1; END$$
