-- As attempts.sql, over the wide schema. "@18" in front: needs that version, extension or way to ask; «dsn» is a way to the server itself.
SELECT home FROM wide
SELECT (home).street FROM wide
SELECT (w.home).* FROM wide w
SELECT home::text FROM wide
SELECT row_to_json(home) FROM wide
SELECT to_jsonb(w) FROM wide w
SELECT street(home) FROM wide
SELECT (w.home).street || '' FROM wide w
SELECT h.street FROM wide w, LATERAL (SELECT (w.home).*) h
SELECT homes FROM wide
SELECT homes[1] FROM wide
SELECT (homes[1]).street FROM wide
SELECT unnest(homes) FROM wide
SELECT u.street FROM wide, unnest(homes) u
SELECT u.street FROM wide w, unnest(w.homes, ARRAY[1]) AS u(street, city, n)
SELECT array_to_json(homes) FROM wide
SELECT ROW(home, 1)::text FROM wide
SELECT (ROW((home).street, 1)::address).street FROM wide
SELECT jsonb_populate_record(NULL::address, to_jsonb(home)) FROM wide
SELECT dom FROM wide
SELECT dom::text FROM wide
SELECT dom::code FROM wide
SELECT CAST(dom AS varchar(40)) FROM wide
SELECT doms FROM wide
SELECT doms[1] FROM wide
SELECT unnest(doms)::text FROM wide
SELECT upper(dom) FROM wide
SELECT loud FROM wide
SELECT lower(loud) FROM wide
SELECT id, loud FROM wide WHERE id = 1
SELECT level FROM wide
SELECT level::text FROM wide
SELECT levels FROM wide
SELECT levels[1] FROM wide
SELECT enum_range(NULL, level) FROM wide
SELECT max(level) FROM wide
SELECT array_agg(level) FROM wide
SELECT span FROM wide
SELECT span::text FROM wide
SELECT lower(span) FROM wide
SELECT upper(span) FROM wide
SELECT lower(span), upper_inc(span) FROM wide WHERE id = 1
SELECT range_merge(span, span) FROM wide
SELECT span * span FROM wide
SELECT span + span FROM wide
SELECT int8range(lower(span), NULL) FROM wide
SELECT spans FROM wide
SELECT unnest(spans) FROM wide
SELECT range_merge(spans) FROM wide
SELECT range_agg(span) FROM wide
SELECT range_intersect_agg(span) FROM wide
SELECT multirange(span) FROM wide
SELECT generate_series(lower(span), lower(span)) FROM wide
SELECT words FROM wide
SELECT lower(words) FROM wide
SELECT spot FROM wide
SELECT spot[0] FROM wide
SELECT spot[0]::bigint FROM wide
SELECT point(spot[0], 0) FROM wide
SELECT box(spot, spot) FROM wide
SELECT circle(spot, 1)::text FROM wide
SELECT grid FROM wide
SELECT grid[1][1] FROM wide
SELECT grid[1:1] FROM wide
SELECT unnest(grid) FROM wide
SELECT array_to_string(grid, ',') FROM wide
SELECT trim_array(grid, 0) FROM wide
SELECT js FROM wide
SELECT js -> 'k' FROM wide
SELECT js ->> 'k' FROM wide
SELECT js::jsonb FROM wide
SELECT value FROM wide, json_each_text(js)
SELECT json_extract_path_text(js, 'k') FROM wide
SELECT json_strip_nulls(js) FROM wide
SELECT x.k FROM wide, json_to_record(js) AS x(k text)
SELECT jsonb_path_query_array(js::jsonb, '$.*') FROM wide
SELECT jsonb_set(js::jsonb, '{x}', '1') FROM wide
SELECT jsonb_insert(js::jsonb, '{x}', '1') FROM wide
SELECT js::jsonb || '{}' FROM wide
SELECT js::jsonb - 'x' FROM wide
SELECT jsonb_object_keys(jsonb_build_object(js ->> 'k', 1)) FROM wide
SELECT price::numeric FROM wide
SELECT price::numeric + 0 FROM wide
SELECT ratio FROM wide
SELECT ratio::bigint FROM wide
SELECT to_char(ratio, 'FM9999999999999999') FROM wide
SELECT width_bucket(ratio, 0, 8000000000000, 1000), ratio FROM wide
SELECT big FROM wide
SELECT trunc(big) FROM wide
SELECT big * 1.0 FROM wide
SELECT min_scale(big), big FROM wide
SELECT vec FROM wide
SELECT tsvector_to_array(vec) FROM wide
SELECT unnest(vec) FROM wide
SELECT (unnest(vec)).lexeme FROM wide
SELECT vec::text FROM wide
SELECT strip(vec) FROM wide
SELECT ts_delete(vec, 'x') FROM wide
SELECT vec || ''::tsvector FROM wide
SELECT frozen_dom(1)
SELECT label FROM wide WHERE id = 1 UNION ALL SELECT frozen_dom(1)
EXPLAIN VERBOSE SELECT label FROM wide WHERE label = frozen_dom(1)
EXPLAIN (VERBOSE, ANALYZE) SELECT label FROM wide WHERE label = frozen_dom(1)
EXPLAIN (FORMAT JSON) SELECT label FROM wide WHERE label = frozen_dom(1)
EXPLAIN (VERBOSE) SELECT frozen_dom(1)
EXPLAIN (VERBOSE, ANALYZE) UPDATE wide SET label = frozen_dom(1) WHERE id = 1
EXPLAIN (VERBOSE) SELECT * FROM (VALUES (frozen_dom(1))) v(x)
PREPARE e1 AS SELECT label FROM wide WHERE label = frozen_dom(1) ;; EXPLAIN VERBOSE EXECUTE e1
SELECT dom FROM wide_row(1)
SELECT wide_row(1)
SELECT (wide_row(1)).home
SELECT a FROM wide_out(1)
SELECT wide_out(1)
SELECT (wide_out(1)).a
SELECT x FROM wide_table(1)
SELECT wide_table(1)
CALL wide_inout(NULL)
CALL wide_inout('x')
BEGIN ;; SELECT wide_cursor() ;; FETCH ALL FROM canary_cursor ;; ROLLBACK
BEGIN ;; DECLARE "Odd C" NO SCROLL CURSOR FOR SELECT dom FROM wide ;; FETCH FORWARD 2 FROM "Odd C" ;; ROLLBACK
BEGIN ;; DECLARE k BINARY CURSOR FOR SELECT dom, big FROM wide ;; FETCH ALL FROM k ;; ROLLBACK
BEGIN ;; DECLARE k CURSOR FOR SELECT dom FROM wide ;; MOVE 1 FROM k ;; FETCH RELATIVE 1 FROM k ;; ROLLBACK
SELECT wide_fails()
SELECT d FROM wide_view
SELECT (home).street FROM wide_view
SELECT lower(span) FROM wide_view
SELECT v FROM wide_view v
SELECT dom::int FROM wide
SELECT dom::canary_level FROM wide
SELECT (dom || 'x')::strict_code::int FROM wide
SELECT home::text::int FROM wide
SELECT ('x' || dom)::int8range FROM wide
SELECT string_agg(dom, ',' ORDER BY id) FROM wide
SELECT xmin, dom FROM wide
SELECT ctid, tableoid::regclass, dom FROM wide
UPDATE wide_rules SET label = 'x' WHERE id = 1 RETURNING label
WITH u AS (UPDATE wide_rules SET label = 'x' RETURNING *) SELECT label FROM u
UPDATE over_rules SET label = 'x' WHERE id = 1 RETURNING label
@simple INSERT INTO answering VALUES (1)
UPDATE copying SET label = 'x' ;; SELECT what FROM trail
LISTEN told ;; UPDATE told SET label = 'x' ;; SELECT 1
LISTEN told ;; UPDATE told SET label = label WHERE id = 1 ;; SELECT secret FROM told
UPDATE shouts SET label = 'x' WHERE id = 1
BEGIN ;; UPDATE shouts SET label = 'x' ;; ROLLBACK
INSERT INTO shouts SELECT 3, 'x', secret FROM shouts WHERE id = 1
UPDATE shouts SET secret = (SELECT secret FROM shouts WHERE id = 1) WHERE id = 2
INSERT INTO shouts (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET label = 'x' RETURNING secret
SELECT secret FROM grand
SELECT secret FROM grand_1
SELECT secret FROM grand_1_a
SELECT secret FROM grand_rest
SELECT upper(secret) FROM grand_1_a
SELECT g FROM grand_1 g
COPY grand_1_a TO STDOUT
COPY (SELECT * FROM grand) TO STDOUT (FORMAT binary)
INSERT INTO grand VALUES (1, 'x', 'y') RETURNING (SELECT max(secret) FROM grand)
SELECT d.secret FROM derived d
SELECT secret FROM derived_again
SELECT secret FROM ONLY derived
SELECT to_json(d) FROM base b JOIN derived d USING (id)
SELECT secret, other FROM common LIMIT 3
SELECT most_common_vals FROM pg_stats_ext
SELECT * FROM pg_stats_ext
SELECT most_common_vals::text FROM pg_stats_ext
SELECT s FROM pg_stats_ext s
SELECT * FROM pg_stats_ext_exprs
SELECT most_common_vals FROM pg_stats_ext_exprs
SELECT histogram_bounds FROM pg_stats WHERE tablename = 'wide'
SELECT most_common_vals FROM pg_stats WHERE tablename = 'common'
SELECT unnest(most_common_vals::text::text[]) FROM pg_stats WHERE tablename = 'common'
@17 SELECT range_bounds_histogram FROM pg_stats WHERE tablename = 'wide'
SELECT m.* FROM pg_statistic_ext_data, pg_mcv_list_items(stxdmcv) m
SELECT stxdmcv FROM pg_statistic_ext_data
SELECT stxdexpr FROM pg_statistic_ext_data
SELECT (unnest(stxdexpr)).stavalues1 FROM pg_statistic_ext_data
SELECT stavalues1, stavalues2 FROM pg_statistic
SELECT query FROM pg_stat_activity
SELECT a FROM pg_stat_activity a
SELECT to_json(a) FROM pg_stat_activity a
SELECT query FROM pg_stat_get_activity(NULL)
SELECT pg_stat_get_backend_activity(b) FROM pg_stat_get_backend_idset() b
COPY (SELECT * FROM pg_stat_activity) TO STDOUT
SELECT lo_get(424242)
SELECT convert_from(lo_get(424242), 'UTF8')
SELECT lo_get(424242, 0, 20)
BEGIN ;; SELECT loread(lo_open(424242, 262144), 100) ;; ROLLBACK
SELECT data FROM pg_largeobject
SELECT convert_from(data, 'UTF8') FROM pg_largeobject
SELECT l FROM pg_largeobject l
SELECT word FROM ts_stat('SELECT vec FROM wide')
SELECT * FROM ts_stat('SELECT to_tsvector(''simple'', ssn) FROM customers')
SELECT pg_read_file(current_setting('data_directory') || '/canary.csv')
SELECT convert_from(pg_read_binary_file(current_setting('data_directory') || '/canary.csv'), 'UTF8')
CREATE TEMP TABLE from_file (l text) ;; DO $$ BEGIN EXECUTE format('COPY from_file FROM %L', current_setting('data_directory') || '/canary.csv'); END $$ ;; SELECT * FROM from_file
CREATE TABLE y1 (LIKE wide) ;; INSERT INTO y1 (id, dom) SELECT id, dom FROM wide ;; SELECT dom FROM y1
CREATE TABLE y2 () INHERITS (wide) ;; SELECT dom FROM wide
CREATE MATERIALIZED VIEW y3 AS SELECT dom AS label FROM wide ;; SELECT label FROM y3
CREATE VIEW y4 AS SELECT (home).street AS label FROM wide ;; SELECT label FROM y4
CREATE TABLE y5 (a text DEFAULT frozen_dom(1)) ;; INSERT INTO y5 DEFAULT VALUES ;; SELECT a FROM y5
CREATE TABLE y6 (i int, a text GENERATED ALWAYS AS (frozen_dom(i)) STORED) ;; INSERT INTO y6 VALUES (1) ;; SELECT a FROM y6
CREATE INDEX ON wide (upper(dom)) ;; ANALYZE wide ;; SELECT most_common_vals, histogram_bounds FROM pg_stats WHERE tablename LIKE 'wide_upper%'
ALTER TABLE wide RENAME COLUMN dom TO label_two ;; SELECT label_two FROM wide
ALTER TABLE wide ALTER COLUMN gone TYPE text USING dom::text ;; SELECT gone FROM wide
ALTER TABLE wide ADD COLUMN more text ;; UPDATE wide SET more = dom ;; SELECT more FROM wide
ALTER TABLE wide SET SCHEMA hr ;; SELECT dom FROM hr.wide
CREATE SCHEMA z ;; CREATE TABLE z.t AS TABLE wide ;; SELECT dom FROM z.t
CREATE FUNCTION z1() RETURNS SETOF wide LANGUAGE sql AS 'TABLE wide' ;; SELECT dom FROM z1()
CREATE FUNCTION z2() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT dom::text FROM wide LIMIT 1; END ;; SELECT z2()
CREATE AGGREGATE z3(text) (sfunc = textcat, stype = text, initcond = '') ;; SELECT z3(dom) FROM wide
CREATE FUNCTION z4(text, text) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''% %'', $1, $2; RETURN true; END' ;; CREATE OPERATOR === (LEFTARG = text, RIGHTARG = text, FUNCTION = z4) ;; SELECT id FROM wide WHERE dom::text === 'x'
CREATE FUNCTION z5(text) RETURNS bool LANGUAGE plpgsql COST 0.0001 AS 'BEGIN RAISE NOTICE ''%'', $1; RETURN true; END' ;; SELECT id FROM wide_view WHERE z5(d)
DO $$ DECLARE r record; BEGIN FOR r IN SELECT * FROM wide LOOP RAISE NOTICE '%', r; END LOOP; END $$
DO $$ BEGIN PERFORM set_config('z.z', (SELECT dom FROM wide LIMIT 1), false); END $$ ;; SHOW z.z
SELECT set_config('z.y', dom, true), current_setting('z.y') FROM wide
SELECT pg_notify('told', dom) FROM wide ;; LISTEN told ;; SELECT pg_notify('told', dom) FROM wide
SELECT array_agg(w) FROM wide w
SELECT json_object_agg(id, w) FROM wide w
SELECT json_build_object('w', w) FROM wide w
SELECT hstore_missing FROM (SELECT dom AS hstore_missing FROM wide) q
SELECT (SELECT array_agg(x) FROM (SELECT dom FROM wide) x)
SELECT unnest((SELECT array_agg(dom) FROM wide))
SELECT min(dom) OVER (PARTITION BY label ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM wide
SELECT dom FROM wide GROUP BY ROLLUP (dom)
SELECT GROUPING(dom), dom FROM wide GROUP BY CUBE (dom, id)
SELECT last_value(dom) OVER w, cume_dist() OVER w FROM wide WINDOW w AS (ORDER BY id)
WITH RECURSIVE t AS (SELECT id, dom FROM wide WHERE id = 1 UNION ALL SELECT w.id, w.dom FROM wide w JOIN t ON w.id = t.id + 1) CYCLE id SET is_cycle USING path SELECT dom FROM t
WITH RECURSIVE t AS (SELECT id, dom FROM wide WHERE id = 1 UNION ALL SELECT w.id, w.dom FROM wide w JOIN t ON w.id = t.id + 1) SEARCH DEPTH FIRST BY dom SET ord SELECT ord FROM t
SELECT * FROM wide TABLESAMPLE SYSTEM (100)
SELECT x.* FROM wide w CROSS JOIN LATERAL (SELECT w.home, w.dom) x
SELECT (w).loud FROM wide w
SELECT w.* FROM wide w JOIN wide v USING (id, dom)
SELECT dom FROM wide a NATURAL JOIN wide_view b
@17 MERGE INTO wide w USING (VALUES (1)) v(i) ON w.id = v.i WHEN MATCHED THEN UPDATE SET label = 'x' RETURNING merge_action(), w.dom
@17 MERGE INTO orders o USING wide w ON w.id = o.id WHEN MATCHED THEN DELETE RETURNING w.dom, o.*
@17 WITH m AS (MERGE INTO orders o USING wide w ON w.id = o.id WHEN MATCHED THEN UPDATE SET note = 'x' RETURNING w.*) SELECT dom FROM m
@17 SELECT t.* FROM wide, JSON_TABLE(js::jsonb, '$' COLUMNS (n FOR ORDINALITY, v text PATH '$.k')) t
@17 SELECT t.v FROM wide w, JSON_TABLE(to_jsonb(w), '$' COLUMNS (NESTED PATH '$.doms[*]' COLUMNS (v text PATH '$'))) t
@17 SELECT t.v FROM JSON_TABLE((SELECT jsonb_agg(w) FROM wide w), '$[*]' COLUMNS (v jsonb PATH '$.home')) t
@17 SELECT JSON_QUERY(js::jsonb, '$.k' WITH WRAPPER) FROM wide
@17 SELECT JSON_SERIALIZE(js) FROM wide
@17 SELECT JSON(js::text) FROM wide
@17 SELECT JSON_QUERY(jsonb '{}', '$x' PASSING dom::text AS x WITH WRAPPER) FROM wide
@16 SELECT JSON_ARRAYAGG(dom::text ORDER BY id RETURNING jsonb) FROM wide
@16 SELECT any_value(dom) FROM wide
@18 UPDATE wide SET label = 'x' RETURNING old.dom
@18 UPDATE wide SET label = 'x' RETURNING WITH (OLD AS before, NEW AS after) before.home, after.label
@18 UPDATE wide SET label = 'x' RETURNING to_json(new)
@18 UPDATE wide SET label = 'x' RETURNING old
@18 UPDATE wide SET label = 'x' RETURNING old.*
@18 DELETE FROM wide RETURNING old.dom, new.dom
@18 INSERT INTO wide (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET label = 'x' RETURNING old.dom
@18 MERGE INTO wide w USING (VALUES (1)) v(i) ON w.id = v.i WHEN MATCHED THEN DELETE RETURNING old.dom, new.label
@18 SELECT secret FROM virtuals
@18 SELECT loud FROM virtuals
@18 SELECT lower(loud) FROM virtuals
@18 SELECT v FROM virtuals v
@18 COPY (SELECT loud FROM virtuals) TO STDOUT
@18 UPDATE virtuals SET label = 'x' RETURNING loud
@hstore SELECT attrs FROM stores
@hstore SELECT attrs -> 'k' FROM stores
@hstore SELECT attrs['k'] FROM stores
@hstore SELECT attrs -> ARRAY['k'] FROM stores
@hstore SELECT svals(attrs) FROM stores
@hstore SELECT avals(attrs) FROM stores
@hstore SELECT skeys(attrs) FROM stores
@hstore SELECT akeys(attrs) FROM stores
@hstore SELECT each(attrs) FROM stores
@hstore SELECT e.value FROM stores, each(attrs) e
@hstore SELECT hstore_to_json(attrs) FROM stores
@hstore SELECT hstore_to_jsonb_loose(attrs) FROM stores
@hstore SELECT attrs::json FROM stores
@hstore SELECT attrs::text FROM stores
@hstore SELECT %%attrs FROM stores
@hstore SELECT %#attrs FROM stores
@hstore SELECT slice(attrs, ARRAY['k']) FROM stores
@hstore SELECT attrs || 'x => y' FROM stores
@hstore SELECT attrs - 'x'::text FROM stores
@hstore SELECT hstore(c) FROM customers c
@hstore SELECT hstore(c) -> 'ssn' FROM customers c
@hstore SELECT hstore('k', ssn) FROM customers
@hstore SELECT hstore(ARRAY['k'], ARRAY[ssn::text]) FROM customers
@hstore SELECT each(hstore(c)) FROM customers c
@hstore SELECT populate_record(NULL::customers, hstore(c)) FROM customers c
@hstore SELECT (NULL::customers #= hstore(c)).ssn FROM customers c
@citext SELECT mail FROM cases
@citext SELECT mail::text FROM cases
@citext SELECT split_part(mail, '@', 1) FROM cases
@citext SELECT upper(mail::text) FROM cases
@citext SELECT max(mail) FROM cases
@citext SELECT regexp_matches(mail, '.*') FROM cases
@citext SELECT string_agg(mail::text, ',') FROM cases
@citext SELECT replace(mail, 'q', 'q') FROM cases
@ltree SELECT path FROM trees
@ltree SELECT path::text FROM trees
@ltree SELECT ltree2text(path) FROM trees
@ltree SELECT subpath(path, 1, 1) FROM trees
@ltree SELECT subltree(path, 1, 2) FROM trees
@ltree SELECT path || 'x' FROM trees
@ltree SELECT lca(path, path) FROM trees WHERE id = 1
@ltree SELECT array_agg(path) FROM trees
@xml SELECT doc FROM papers
@xml SELECT xpath('/a/b/text()', doc) FROM papers
@xml SELECT (xpath('/a/b/text()', doc))[1]::text FROM papers
@xml SELECT x.b FROM papers, XMLTABLE('/a' PASSING doc COLUMNS b text PATH 'b') x
@xml SELECT xmlserialize(CONTENT doc AS text) FROM papers
@xml SELECT xmlconcat(doc, doc) FROM papers
@xml SELECT xmlagg(doc) FROM papers
@xml SELECT xmlelement(name a, ssn) FROM customers
@xml SELECT xmlelement(name a, xmlattributes(ssn AS b)) FROM customers
@xml SELECT xmlforest(ssn, name) FROM customers
@xml SELECT xmlforest(c) FROM customers c
@xml SELECT xmlcomment(ssn) FROM customers
@xml SELECT xmlpi(name a, ssn) FROM customers
@xml SELECT xmlparse(CONTENT ssn) FROM customers
@xml,17 SELECT xmltext(ssn) FROM customers
@xml SELECT query_to_xml('SELECT ssn FROM customers', true, false, '')
@xml SELECT table_to_xml('customers', true, false, '')
@xml SELECT schema_to_xml('public', true, false, '')
@xml SELECT database_to_xml(true, false, '')
@xml SELECT cursor_to_xml('canary_cursor', 10, true, false, '') FROM (SELECT wide_cursor()) x
@xml SELECT (xpath('//ssn/text()', query_to_xml('TABLE customers', true, false, '')))[1]
@postgres_fdw SELECT ssn FROM far
@postgres_fdw SELECT f.ssn || '' FROM far f
@postgres_fdw SELECT f FROM far f
@postgres_fdw SELECT upper(ssn), id FROM far
@postgres_fdw SELECT f.ssn FROM far f JOIN orders o ON o.id = f.id
@postgres_fdw UPDATE far SET name = name RETURNING ssn
@postgres_fdw COPY (TABLE far) TO STDOUT
@postgres_fdw SELECT max(ssn) FROM far
@postgres_fdw CREATE FOREIGN TABLE far_two (ssn text) SERVER far OPTIONS (table_name 'customers') ;; SELECT ssn FROM far_two
@postgres_fdw CREATE FOREIGN TABLE far_three (label text OPTIONS (column_name 'ssn')) SERVER far OPTIONS (table_name 'customers') ;; SELECT label FROM far_three
@postgres_fdw CREATE SCHEMA imported ;; IMPORT FOREIGN SCHEMA public LIMIT TO (customers) FROM SERVER far INTO imported ;; SELECT ssn FROM imported.customers
@file_fdw SELECT ssn FROM filed
@file_fdw SELECT f FROM filed f
@file_fdw SELECT ssn::text || 'x' FROM filed
@pg_stat_statements SELECT query FROM pg_stat_statements
@pg_stat_statements SELECT s FROM pg_stat_statements s
@pg_stat_statements SELECT query FROM pg_stat_statements(true)
@pg_stat_statements SELECT to_jsonb(s) FROM pg_stat_statements s
@dblink SELECT * FROM dblink('«dsn»', 'SELECT ssn FROM customers') AS t(s text)
@dblink SELECT dblink_connect('d', '«dsn»') ;; SELECT * FROM dblink('d', 'SELECT ssn FROM customers') AS t(s text) ;; SELECT dblink_disconnect('d')
@dblink SELECT dblink_connect('e', '«dsn»') ;; SELECT dblink_send_query('e', 'SELECT ssn FROM customers') ;; SELECT * FROM dblink_get_result('e') AS t(s text) ;; SELECT dblink_disconnect('e')
@tablefunc SELECT * FROM crosstab('SELECT id, name, ssn::text FROM customers ORDER BY 1') AS t(i int, a text)
@pageinspect SELECT * FROM heap_page_items(get_raw_page('customers', 0))
@pageinspect SELECT get_raw_page('customers', 0)
@pageinspect SELECT t_attrs FROM heap_page_item_attrs(get_raw_page('customers', 0), 'customers'::regclass)
@pageinspect SELECT replace(data, ' ', '') FROM bt_page_items('customers_ssn_key', 1)
@pgcrypto SELECT armor(convert_to(ssn, 'UTF8')), ssn FROM customers
@pgcrypto SELECT pgp_sym_decrypt(pgp_sym_encrypt(ssn, 'k'), 'k') FROM customers
@pgcrypto SELECT decrypt(encrypt(convert_to(ssn, 'UTF8'), 'k', 'aes'), 'k', 'aes') FROM customers
@unaccent SELECT unaccent(ssn) FROM customers
@test_decoding SELECT data FROM pg_logical_slot_peek_changes('canary_slot', NULL, NULL)
@test_decoding SELECT data FROM pg_logical_slot_peek_changes('canary_slot', NULL, 50, 'skip-empty-xacts', '1')
@test_decoding SELECT convert_from(data, 'UTF8') FROM pg_logical_slot_peek_binary_changes('canary_slot', NULL, NULL)
-- Through triggers and rules of other tables: by foreign keys, by what triggers write, by rows that change partition.
DELETE FROM owners WHERE id = 1 ;; SELECT what FROM trail
UPDATE owners SET id = 3 WHERE id = 1 ;; SELECT what FROM trail
UPDATE owners SET (label, id) = ('x', 3) WHERE id = 1 ;; SELECT what FROM trail
DELETE FROM ONLY public."owners" ;; SELECT what FROM trail
SET search_path = "Far Away", public ;; DELETE FROM owners ;; SELECT what FROM trail
CREATE TEMP VIEW ov AS SELECT id AS who FROM owners ;; UPDATE ov SET who = 3 WHERE who = 1 ;; SELECT what FROM trail
WITH d AS (DELETE FROM owners WHERE id = 1 RETURNING id) SELECT id FROM d ;; SELECT what FROM trail
INSERT INTO owners VALUES (1) ON CONFLICT (id) DO UPDATE SET id = 3 ;; SELECT what FROM trail
MERGE INTO owners o USING rooms r ON o.id = r.id WHEN MATCHED THEN DELETE ;; SELECT what FROM trail
MERGE INTO owners o USING rooms r ON o.id = r.id AND r.id = 1 WHEN MATCHED THEN UPDATE SET id = 3 ;; SELECT what FROM trail
EXPLAIN ANALYZE DELETE FROM owners ;; SELECT what FROM trail
PREPARE td AS DELETE FROM owners WHERE id = 1 ;; EXECUTE td ;; SELECT what FROM trail ;; DEALLOCATE td
CREATE FUNCTION pg_temp.clears() RETURNS void LANGUAGE sql AS 'DELETE FROM owners' ;; SELECT pg_temp.clears() ;; SELECT what FROM trail
DO 'BEGIN DELETE FROM owners; END' ;; SELECT what FROM trail
DELETE FROM rooms WHERE id = 1 ;; SELECT what FROM trail
UPDATE rooms SET id = 5 WHERE id = 1 ;; SELECT what FROM trail
DELETE FROM houses ;; SELECT what FROM trail
DELETE FROM floors ;; SELECT what FROM trail
INSERT INTO leavings VALUES (1) ;; SELECT what FROM trail
TRUNCATE shelves CASCADE ;; SELECT what FROM trail
TRUNCATE tins ;; SELECT what FROM trail
TRUNCATE rooms, ONLY "shelves" RESTART IDENTITY CASCADE ;; SELECT what FROM trail
UPDATE movers SET id = 2 ;; SELECT what FROM trail
MERGE INTO movers m USING rooms r ON m.id = r.id WHEN MATCHED THEN UPDATE SET id = 2 ;; SELECT what FROM trail
SELECT evicts(1) ;; SELECT what FROM trail
SELECT * FROM evicts(1) ;; SELECT what FROM trail
SELECT public."moves_out"(1) ;; SELECT what FROM trail
SELECT #~# 1 ;; SELECT what FROM trail
SELECT done FROM evictions ;; SELECT what FROM trail
CREATE TEMP VIEW ev AS SELECT * FROM evictions ;; TABLE ev ;; SELECT what FROM trail
CALL moves_all() ;; SELECT what FROM trail
SELECT copies_secrets() ;; SELECT what FROM trail
CREATE TEMP TABLE lv (id int) ;; CREATE TRIGGER lv AFTER INSERT ON lv FOR EACH ROW EXECUTE FUNCTION clears() ;; INSERT INTO lv VALUES (1) ;; SELECT what FROM trail
CREATE TABLE ru (id int) ;; CREATE RULE ru AS ON INSERT TO ru DO ALSO DELETE FROM houses ;; INSERT INTO ru VALUES (1) ;; SELECT what FROM trail
CREATE FUNCTION pg_temp.atomically() RETURNS int LANGUAGE sql BEGIN ATOMIC DELETE FROM houses RETURNING 1; END ;; SELECT pg_temp.atomically() ;; SELECT what FROM trail
CREATE TABLE hs (id int PRIMARY KEY) ;; INSERT INTO hs VALUES (1) ;; ALTER TABLE floors ADD FOREIGN KEY (id) REFERENCES hs ON DELETE CASCADE ;; DELETE FROM hs ;; SELECT what FROM trail
-- Through foreign tables that no rule names.
@postgres_fdw SELECT label FROM stands
@postgres_fdw SELECT s FROM stands s
@postgres_fdw SELECT upper(label), no FROM public."stands"
@postgres_fdw SELECT to_jsonb(s) FROM stands s
@postgres_fdw COPY (TABLE stands) TO STDOUT
@postgres_fdw UPDATE stands SET note = note RETURNING label
@postgres_fdw UPDATE stands SET note = label RETURNING note
@postgres_fdw INSERT INTO stands (no, note) SELECT no + 10, label FROM stands RETURNING note
@postgres_fdw SELECT "a""b" FROM "Far Away"."Stands ""Too"
@postgres_fdw SET search_path = "Far Away" ;; SELECT * FROM "Stands ""Too"
@postgres_fdw SELECT number FROM of_view
@postgres_fdw SELECT what FROM of_stands
@postgres_fdw SELECT max(what) FROM of_stands
@postgres_fdw SELECT vals FROM of_stats WHERE tablename = 'common'
@postgres_fdw SELECT label FROM spread
@postgres_fdw SELECT label FROM spread_1
@postgres_fdw SELECT s FROM spread s
@postgres_fdw COPY (SELECT * FROM spread) TO STDOUT
@postgres_fdw SELECT word FROM v_stands
@postgres_fdw SELECT word::text || '' FROM v_stands
@postgres_fdw CREATE TEMP TABLE st AS SELECT label FROM stands ;; TABLE st
@postgres_fdw ALTER FOREIGN TABLE turning OPTIONS (SET table_name 'customers') ;; ALTER FOREIGN TABLE turning ALTER ssn OPTIONS (SET column_name 'ssn') ;; SELECT ssn FROM turning
@postgres_fdw ALTER FOREIGN TABLE turning ALTER COLUMN ssn OPTIONS (DROP column_name), OPTIONS (SET table_name 'customers') ;; SELECT ssn::text FROM turning
@dblink SELECT dblink_connect('«dsn»') ;; SELECT dblink_exec('DO $$ BEGIN RAISE EXCEPTION ''%'', (SELECT ssn FROM customers LIMIT 1); END $$')
@dblink SELECT dblink_connect('f', '«dsn»') ;; SELECT dblink_open('f', 'c', 'SELECT ssn FROM customers') ;; SELECT * FROM dblink_fetch('f', 'c', 5) AS t(s text) ;; SELECT dblink_disconnect('f')
@dblink SELECT dblink_connect('g', '«dsn»') ;; SELECT dblink_send_query('g', 'SELECT ssn::int FROM customers') ;; SELECT pg_sleep(0.1) ;; SELECT * FROM dblink_get_result('g', false) AS t(s text) ;; SELECT dblink_error_message('g') ;; SELECT dblink_disconnect('g')
@dblink SELECT dblink_build_sql_insert('badges', '1', 1, '{1}', '{2}')
@dblink SELECT public.dblink_build_sql_update('badges', '1', 1, '{1}', '{2}')
-- Code that was there before and keeps what it is given, whatever it was declared to be.
SELECT odd.sets(dom::text) FROM wide ;; SHOW odd.a
SELECT odd.calls(dom::text) FROM wide ;; SELECT current_setting('odd.a')
SELECT odd.sets_any(dom::text) FROM wide ;; SELECT setting FROM pg_settings WHERE name = 'odd.a' ;; SHOW odd.a
SELECT odd.sets_any(w) FROM wide w ;; SHOW odd.a
SELECT count(odd.sets(dom::text)) FROM wide ;; SHOW odd.a
SELECT count(*) FILTER (WHERE odd.sets(dom::text) = 'x') FROM wide ;; SHOW odd.a
SELECT id FROM wide WHERE odd.sets(dom::text) = 'x' ;; SHOW odd.a
SELECT id FROM wide ORDER BY odd.sets(dom::text) ;; SHOW odd.a
SELECT w.id FROM wide w, odd.sets_rows(dom::text) ;; SHOW odd.a
SELECT odd.counts(pay) FROM hr.staff ;; SELECT last_value FROM odd.numbers
LISTEN odd ;; SELECT odd.tells(dom::text) FROM wide ;; SELECT 1 ;; UNLISTEN odd
SELECT odd.locks(card) FROM customers WHERE id = 1 ;; SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks WHERE locktype = 'advisory' ;; SELECT pg_advisory_unlock_all()
SELECT odd.config('odd.a', dom::text, false) FROM wide ;; SHOW odd.a
@file_fdw SELECT odd.file(current_setting('data_directory') || '/canary.csv')
SELECT w FROM odd.words('SELECT vec FROM wide') AS t(w text, n int, d int)
SELECT convert_from(odd.object(424242), 'UTF8')
SELECT odd.keep(dom::text) FROM wide ;; SELECT a FROM odd.kept
SELECT odd.keep(dom::text) OVER () FROM wide ;; SELECT a FROM odd.kept
SELECT odd.slide(dom::text) OVER (ORDER BY id ROWS BETWEEN CURRENT ROW AND CURRENT ROW) FROM wide ;; SELECT a FROM odd.kept
SELECT dom::text OPERATOR(odd.==>) 'x'::varchar FROM wide ;; SELECT a FROM odd.kept
SELECT id FROM wide WHERE dom OPERATOR(odd.=) 'x'::varchar ;; SELECT a FROM odd.kept
SET search_path = odd, public ;; SELECT id FROM customers WHERE email = 'x'::varchar ;; SELECT a FROM kept
SET search_path = odd, public ;; SELECT id FROM customers WHERE email IN ('x'::varchar) ;; SELECT a FROM kept
SET search_path = odd, public ;; SELECT CASE email WHEN 'x'::varchar THEN 1 END FROM customers ;; SELECT a FROM kept
SET search_path = odd, public ;; SELECT nullif(email, 'x'::varchar) FROM customers ;; SELECT a FROM kept
SET search_path = odd, public ;; SELECT c.id FROM customers c JOIN (SELECT 'x'::varchar AS email) x USING (email) ;; SELECT a FROM kept
SELECT dom::text::odd.spy FROM wide ;; SELECT a FROM odd.kept
SELECT ARRAY[dom::text]::odd.spy[] FROM wide ;; SELECT a FROM odd.kept
SELECT odd.takes(dom::text) FROM wide ;; SELECT a FROM odd.kept
SELECT x.dom FROM wide w, jsonb_to_record(to_jsonb(w)) AS x(dom odd.spy) ;; SELECT a FROM odd.kept
@17 SELECT t.v FROM wide w, JSON_TABLE(to_jsonb(w), '$' COLUMNS (v odd.spy PATH '$.dom')) t ;; SELECT a FROM odd.kept
@17 SELECT JSON_VALUE(to_jsonb(dom), '$' RETURNING odd.spy) FROM wide ;; SELECT a FROM odd.kept
SELECT dom::text::odd.stage FROM wide ;; SELECT a FROM odd.kept
-- What EXPLAIN prints of what the planner runs.
CREATE VIEW folded AS SELECT label FROM wide WHERE label = frozen_dom(1) ;; EXPLAIN VERBOSE SELECT * FROM folded
PREPARE e2 AS SELECT label FROM wide WHERE label = frozen_dom(1) ;; EXPLAIN (VERBOSE, FORMAT JSON) EXECUTE e2 ;; DEALLOCATE e2
EXPLAIN (ANALYZE, VERBOSE, SETTINGS) WITH t AS (SELECT frozen_dom(1) AS x) SELECT * FROM t
@16 EXPLAIN (GENERIC_PLAN, VERBOSE) SELECT label FROM wide WHERE label = frozen_dom(1)
EXPLAIN VERBOSE DECLARE k CURSOR FOR SELECT frozen_dom(1)
EXPLAIN VERBOSE INSERT INTO orders (note) VALUES (frozen_dom(1))
-- By what computes a row, and by texts that look like comments.
INSERT INTO by_default (id) VALUES (1) ;; SELECT what FROM trail
INSERT INTO by_check VALUES (1) ;; SELECT what FROM trail
INSERT INTO by_condition VALUES (1) ;; SELECT what FROM trail
SELECT 1::evicting ;; SELECT what FROM trail
SELECT CAST('1' AS public.evicting) ;; SELECT what FROM trail
CREATE TEMP TABLE bd (id int, done int DEFAULT evicts(1)) ;; INSERT INTO bd VALUES (1) ;; SELECT what FROM trail
DO 'BEGIN PERFORM ''--''; DELETE FROM owners; END' ;; SELECT what FROM trail
DO $b$ BEGIN PERFORM E'\'--'; DELETE FROM owners; END $b$ ;; SELECT what FROM trail
DO $b$ BEGIN PERFORM $q$'$q$; PERFORM '--'; DELETE FROM owners; END $b$ ;; SELECT what FROM trail
DO 'BEGIN DELETE /* x */ FROM owners; END' ;; SELECT what FROM trail
DO 'BEGIN DELETE FROM ONLY (owners); END' ;; SELECT what FROM trail
DO 'BEGIN DELETE FROM"owners"; END' ;; SELECT what FROM trail
DO 'BEGIN DELETE FROM ONLY("public"."owners"); END' ;; SELECT what FROM trail
DO 'BEGIN UPDATE"owners"SET id = 3 WHERE id = 1; END' ;; SELECT what FROM trail
DO 'BEGIN TRUNCATE"shelves"CASCADE; END' ;; SELECT what FROM trail
DO 'BEGIN WITH d AS (DELETE FROM public . owners RETURNING 1) INSERT INTO leavings SELECT 9 FROM d; END' ;; SELECT what FROM trail
CREATE FUNCTION pg_temp.hides() RETURNS void LANGUAGE plpgsql AS 'BEGIN PERFORM ''--''; DELETE FROM owners; END' ;; SELECT pg_temp.hides() ;; SELECT what FROM trail
-- Into a column whose own type keeps what it is given, masked as it is.
INSERT INTO odd.vault SELECT id, secret FROM odd.moving ;; SELECT a FROM odd.kept
INSERT INTO odd.vault (secret) SELECT secret FROM told ;; SELECT a FROM odd.kept
INSERT INTO odd.vault VALUES (1, (SELECT upper(secret) FROM told)) ;; SELECT a FROM odd.kept
INSERT INTO odd.staged SELECT id, secret FROM odd.moving ;; SELECT a FROM odd.kept
INSERT INTO odd.vault VALUES (1, 'x') ;; UPDATE odd.vault SET secret = m.secret FROM odd.moving m ;; SELECT a FROM odd.kept
INSERT INTO odd.vault VALUES (1, 'x') ;; UPDATE odd.vault SET (id, secret) = (SELECT m.id, m.secret FROM odd.moving m) ;; SELECT a FROM odd.kept
MERGE INTO odd.vault v USING odd.moving m ON v.id = m.id WHEN NOT MATCHED THEN INSERT VALUES (m.id, m.secret) ;; SELECT a FROM odd.kept
INSERT INTO odd.vault VALUES (1, 'x') ;; MERGE INTO odd.vault v USING odd.moving m ON v.id = m.id WHEN MATCHED THEN UPDATE SET secret = m.secret ;; SELECT a FROM odd.kept
WITH w AS (INSERT INTO odd.vault SELECT id, secret FROM odd.moving RETURNING 1) SELECT count(*) FROM w ;; SELECT a FROM odd.kept
PREPARE into_vault AS INSERT INTO odd.vault SELECT id, secret FROM odd.moving ;; EXECUTE into_vault ;; DEALLOCATE into_vault ;; SELECT a FROM odd.kept
EXPLAIN ANALYZE INSERT INTO odd.vault SELECT id, secret FROM odd.moving ;; SELECT a FROM odd.kept
CREATE TABLE odd.copied (LIKE odd.vault) ;; INSERT INTO odd.copied SELECT id, secret FROM odd.moving ;; SELECT a FROM odd.kept
CREATE TABLE odd.copied () INHERITS (odd.vault) ;; INSERT INTO odd.copied SELECT id, secret FROM odd.moving ;; SELECT a FROM odd.kept
CREATE TABLE odd.copied AS SELECT id, secret FROM odd.vault ;; INSERT INTO odd.copied SELECT id, secret FROM odd.moving ;; SELECT a FROM odd.kept
CREATE TABLE odd.copied AS SELECT id, NULL::odd.spy AS secret FROM odd.moving ;; INSERT INTO odd.copied SELECT id, secret FROM odd.moving ;; SELECT a FROM odd.kept
SELECT id, NULL::odd.spy AS secret INTO odd.copied FROM odd.moving ;; UPDATE odd.copied c SET secret = m.secret FROM odd.moving m ;; SELECT a FROM odd.kept
CREATE TABLE odd.copied AS SELECT id, secret::odd.spy FROM odd.moving ;; SELECT a FROM odd.kept
SELECT id, secret::odd.spy INTO odd.copied FROM odd.moving ;; SELECT a FROM odd.kept
CREATE MATERIALIZED VIEW odd.copied AS SELECT id, secret::odd.spy FROM odd.moving ;; SELECT a FROM odd.kept
CREATE TABLE odd.copied (id int, secret odd.spy) ;; INSERT INTO odd.copied SELECT id, secret FROM odd.moving ;; SELECT a FROM odd.kept
ALTER TABLE odd.moving ALTER COLUMN secret TYPE odd.spy ;; SELECT a FROM odd.kept
ALTER TABLE odd.moving ADD COLUMN more odd.spy DEFAULT frozen_dom(1) ;; SELECT a FROM odd.kept
ALTER TABLE odd.moving ADD CHECK (odd.keeps(secret)) ;; SELECT a FROM odd.kept
ALTER TABLE odd.checking VALIDATE CONSTRAINT checking_secret_check ;; SELECT a FROM odd.kept
ALTER DOMAIN odd.plain ADD CHECK (odd.keeps(VALUE)) ;; SELECT a FROM odd.kept
ALTER DOMAIN odd.plain ADD CONSTRAINT c CHECK (odd.keeps(VALUE)) NOT VALID ;; ALTER DOMAIN odd.plain VALIDATE CONSTRAINT c ;; SELECT a FROM odd.kept
ALTER TYPE address ADD ATTRIBUTE more odd.spy CASCADE ;; INSERT INTO wide (id, home) SELECT 9, ROW('s', 'c', dom::text)::address FROM wide LIMIT 1 ;; SELECT a FROM odd.kept
-- By what triggers, checks, defaults and routines of others make of it.
UPDATE odd.moving SET label = 'x' ;; SELECT a FROM odd.kept
UPDATE odd.checking SET label = 'x' ;; SELECT a FROM odd.kept
INSERT INTO odd.checking SELECT id, label, secret FROM odd.moving ;; SELECT a FROM odd.kept
INSERT INTO odd.defaulting (id) VALUES (1) ;; SELECT a FROM odd.kept
SELECT odd.returns_spy()::text IS NULL ;; SELECT a FROM odd.kept
SELECT odd.calls_spy() IS NULL ;; SELECT a FROM odd.kept
SELECT odd.declares_spy() ;; SELECT a FROM odd.kept
SELECT count(*) FROM odd.returns_spy() ;; SELECT a FROM odd.kept
DO 'DECLARE v odd.spy; BEGIN SELECT secret INTO v FROM odd.moving; END' ;; SELECT a FROM odd.kept
CREATE FUNCTION odd.made() RETURNS odd.spy LANGUAGE sql AS 'SELECT secret FROM odd.moving' ;; SELECT odd.made() IS NULL ;; SELECT a FROM odd.kept
-- Through a cursor that a function reads, and through code that no catalog shows yet.
BEGIN ;; DECLARE k CURSOR FOR SELECT dom FROM wide ;; SELECT odd.fetches('k') ;; ROLLBACK
CREATE OR REPLACE FUNCTION odd.quotes(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT set_config(''odd.a'', $1, false)' ;; SELECT odd.quotes(dom::text) FROM wide ;; SHOW odd.a
CREATE OR REPLACE FUNCTION odd.quotes(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT set_config(''odd.a'', $1, false)' ;; SELECT odd.quotes_twice(dom::text) FROM wide ;; SHOW odd.a
ALTER FUNCTION odd.quotes(text) RENAME TO other ;; ALTER FUNCTION odd.sets(text) RENAME TO quotes ;; SELECT odd.quotes(dom::text) FROM wide ;; SHOW odd.a
CREATE FUNCTION public.upper(strict_code) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT set_config(''odd.a'', $1::text, false)' ;; SELECT upper(dom) FROM wide ;; SHOW odd.a
CREATE FUNCTION odd.length(text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM set_config(''odd.a'', $1, false); RETURN 1; END' ;; SET search_path = odd, pg_catalog, public ;; SELECT length(email) FROM customers ;; SHOW odd.a
CREATE AGGREGATE public.longest(text) (sfunc = odd.keeps_two, stype = text, initcond = '') ;; SELECT longest(dom::text) FROM wide ;; SELECT a FROM odd.kept
CREATE FUNCTION odd.joins(text, varchar) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN set_config(''odd.a'', $1, false); END' ;; CREATE OPERATOR public.|| (LEFTARG = text, RIGHTARG = varchar, FUNCTION = odd.joins) ;; SELECT email || 'x'::varchar FROM customers ;; SHOW odd.a
-- Errors and notices that name what a command names, if data makes the command or the name.
SELECT odd.says('DROP TABLE IF EXISTS %I')
SELECT odd.says('DROP FUNCTION IF EXISTS %I()')
SELECT odd.says('DROP TYPE IF EXISTS %I')
SELECT odd.says('DROP TRIGGER IF EXISTS %I ON told')
SELECT odd.says('ALTER TABLE IF EXISTS %I ADD COLUMN a int')
SELECT odd.says('CREATE TEMP TABLE %1$I (); CREATE TEMP TABLE %1$I ()')
SELECT odd.says('CREATE TEMP TABLE %1$I (); CREATE TEMP TABLE IF NOT EXISTS %1$I ()')
SELECT odd.says('CREATE SCHEMA %1$I; CREATE SCHEMA IF NOT EXISTS %1$I')
SELECT odd.says('DEALLOCATE %I')
SELECT odd.says('CLOSE %I')
SELECT odd.says('FETCH ALL FROM %I')
SELECT odd.says('SELECT 1 AS "%1$s%1$s%1$s%1$s%1$s%1$s%1$s"')
SELECT odd.says('CREATE TEMP TABLE %1$I (a int NOT NULL); INSERT INTO %1$I VALUES (NULL)')
SELECT odd.says('CREATE TEMP TABLE x (%1$I int NOT NULL); INSERT INTO x VALUES (NULL)')
SELECT odd.says('CREATE TEMP TABLE x (a int CONSTRAINT %I CHECK (a > 0)); INSERT INTO x VALUES (0)')
SELECT odd.says('CREATE TEMP TABLE x (a int CONSTRAINT %I UNIQUE); INSERT INTO x VALUES (0), (0)')
SELECT odd.says('CREATE TEMP TABLE %I (a int) PARTITION BY LIST (a); INSERT INTO pg_temp.%1$I VALUES (1)')
SELECT odd.says('CREATE VIEW pg_temp.%1$I AS SELECT 1 AS a UNION SELECT 2; INSERT INTO pg_temp.%1$I VALUES (1)')
SELECT odd.says('CREATE TEMP TABLE %1$I (a int); CREATE VIEW pg_temp.v AS SELECT a FROM %1$I; DROP TABLE %1$I')
SELECT odd.says('CREATE TEMP TABLE %1$I (a int); CREATE VIEW pg_temp.v AS SELECT a FROM %1$I; DROP TABLE %1$I CASCADE')
SELECT odd.says('CREATE TEMP TABLE x (a int PRIMARY KEY); CREATE TEMP TABLE %I (a int REFERENCES x); TRUNCATE x CASCADE')
SELECT odd.says('CREATE DOMAIN %1$I AS int CHECK (VALUE > 0); SELECT 0::%1$I')
SELECT odd.says('SELECT %I()')
SELECT odd.says('SELECT %L::int')
SELECT odd.says('SET %I = 1')
SELECT odd.says('SET TimeZone = %L')
SELECT odd.says('CREATE ROLE %1$I; SET ROLE %1$I; SELECT * FROM told')
SELECT to_regtype(repeat(dom::text, 9)) FROM wide
SELECT repeat(dom::text, 9)::regtype FROM wide
SELECT to_regtype(concat(dom, ' x')) FROM wide
SELECT to_regprocedure(concat('f(', repeat(dom::text, 9), ')')) FROM wide
SELECT format_type(to_regtype(dom::text), NULL), dom::text::regtype FROM wide
-- Errors of what is computed while a definition or a plan is made.
CREATE TABLE parted (a int) PARTITION BY LIST (a) ;; CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (frozen_dom(1)::int)
CREATE TABLE parted (a text) PARTITION BY RANGE (a) ;; CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (frozen_dom(2)) TO (frozen_dom(1))
PREPARE p (int) AS SELECT $1 ;; EXECUTE p (frozen_dom(1)::int)
SELECT id FROM owners LIMIT frozen_dom(1)::int
SELECT id FROM owners TABLESAMPLE SYSTEM (frozen_dom(1)::int)
SELECT id FROM owners WHERE frozen_dom(1)::int = 1
SELECT CASE WHEN id > 0 THEN 1 ELSE frozen_dom(1)::int END FROM owners
INSERT INTO owners VALUES (frozen_dom(1)::int, 'x')
UPDATE owners SET id = frozen_dom(1)::int
ALTER TABLE owners ADD COLUMN n int DEFAULT frozen_dom(1)::int
ALTER TABLE owners ADD CHECK (frozen_dom(id)::int > 0)
ALTER TABLE owners ALTER COLUMN id TYPE int USING frozen_dom(id)::int
CREATE TABLE later AS SELECT frozen_dom(1)::int AS n
SELECT frozen_dom(1)::json, frozen_dom(1)::jsonb
SELECT frozen_dom(1)::date
SELECT frozen_dom(1)::regclass
SELECT current_setting(frozen_dom(1))
SELECT to_tsquery(frozen_dom(1) || ' x')
SELECT jsonb_path_query('{}', 'strict $.a', ('{"' || frozen_dom(1) || '": 1')::jsonb)
SELECT set_config('TimeZone', frozen_dom(1), false)
SELECT pg_catalog.has_table_privilege(frozen_dom(1), 'told', 'select')
SELECT nextval(frozen_dom(1))
SELECT frozen_dom(1)::interval, frozen_dom(1)::inet, frozen_dom(1)::numeric
-- Dates, times, uuids, addresses and bits.
SELECT born FROM moments
SELECT born::text, born::timestamp FROM moments
SELECT born + 0, born + interval '0' FROM moments
SELECT to_char(born, 'YYYYMMDD') FROM moments
SELECT date_trunc('day', born) FROM moments
SELECT make_date(extract(year FROM born)::int, extract(month FROM born)::int, extract(day FROM born)::int) FROM moments
SELECT concat(extract(year FROM born), '-0', extract(month FROM born), '-', extract(day FROM born)) FROM moments
SELECT generate_series(born, born, '1 day') FROM moments
SELECT daterange(born, NULL) FROM moments
SELECT max(born), min(seen) FROM moments
SELECT isfinite(born), born FROM moments
SELECT seen FROM moments
SELECT seen AT TIME ZONE 'UTC' FROM moments
SELECT date_bin('1 day', seen, '1917-03-01 00:00+00') FROM moments
SELECT seen::date FROM moments
SELECT local FROM moments
SELECT local::date FROM moments
SELECT to_json(local) FROM moments
SELECT to_char(local, 'YYYY-MM-DD') FROM moments
SELECT times FROM moments
SELECT times[1] FROM moments
SELECT unnest(times) FROM moments
SELECT ident FROM moments
SELECT ident::text FROM moments
SELECT uuid_send(ident) FROM moments
SELECT replace(ident::text, '-', '') FROM moments
SELECT ARRAY[ident] FROM moments
SELECT net FROM moments
SELECT host(net), abbrev(net) FROM moments
SELECT text(net) FROM moments
SELECT netmask FROM moments
SELECT network(net), set_masklen(net, 48) FROM moments
SELECT inet_send(net) FROM moments
SELECT broadcast(netmask), netmask::inet FROM moments
SELECT at FROM moments
SELECT lower(at) FROM moments
SELECT range_agg(at) FROM moments
SELECT m FROM moments m
SELECT to_jsonb(m) FROM moments m
SELECT row_to_json(m) FROM moments m
COPY moments TO STDOUT
COPY moments TO STDOUT (FORMAT binary)
COPY moments TO STDOUT (FORMAT csv, HEADER)
COPY (SELECT born, seen, ident, net FROM moments) TO STDOUT (FORMAT binary)
BEGIN ;; DECLARE k BINARY CURSOR FOR SELECT * FROM moments ;; FETCH ALL FROM k ;; ROLLBACK
UPDATE moments SET label = 'x' RETURNING born, ident
SELECT histogram_bounds FROM pg_stats WHERE tablename = 'moments' AND attname = 'born'
-- Checks of domains that read masked columns, run as the parser meets a constant.
SELECT '{x}'::odd.asking[]
SELECT '(x,1)'::odd.asked
SELECT 'x'::odd.asking
PREPARE asks AS SELECT '{x}'::odd.asking[]
