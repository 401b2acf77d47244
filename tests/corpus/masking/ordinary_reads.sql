-- Reads that touch no masked column, one on a line. They must come back as if nothing were masked.
SELECT 1
SELECT 1 AS one, 'two' AS two, NULL AS three
SELECT now() IS NOT NULL
SELECT version() IS NOT NULL
SELECT current_user, current_database(), current_schema()
SELECT pg_backend_pid() > 0
SELECT id, name FROM customers
SELECT id, name FROM customers ORDER BY id
SELECT id, name FROM customers ORDER BY 2 DESC LIMIT 3 OFFSET 1
SELECT c.id, c.name FROM customers AS c
SELECT c.id, c.name FROM public.customers c WHERE c.id = 3
SELECT customers.id, public.customers.name FROM public.customers
SELECT DISTINCT city FROM customers ORDER BY city
SELECT DISTINCT ON (city) city, id FROM customers ORDER BY city, id
SELECT city, count(*) FROM customers GROUP BY city ORDER BY city
SELECT city, count(*) AS n FROM customers GROUP BY 1 HAVING count(*) > 1 ORDER BY n DESC, city
SELECT city, count(ssn) FROM customers GROUP BY city ORDER BY 1
SELECT count(*) FROM customers
SELECT count(ssn), count(email) FROM customers
SELECT count(*) FILTER (WHERE city = 'city1') FROM customers
SELECT min(id), max(id), avg(id), sum(id) FROM customers
SELECT upper(name) || '!' AS loud FROM customers ORDER BY id
SELECT length(name), substr(name, 1, 2), left(name, 3), right(name, 2) FROM customers ORDER BY id
SELECT coalesce(name, 'none') FROM customers ORDER BY id
SELECT CASE WHEN id > 3 THEN 'late' ELSE 'early' END AS phase, name FROM customers ORDER BY id
SELECT CASE city WHEN 'city1' THEN 1 ELSE 2 END FROM customers ORDER BY id
SELECT name FROM customers WHERE name LIKE 'name%' ORDER BY name
SELECT name FROM customers WHERE name ~ '^name[1-3]$' ORDER BY name
SELECT name FROM customers WHERE id BETWEEN 2 AND 4 ORDER BY id
SELECT name FROM customers WHERE id IN (1, 2, 3) ORDER BY id
SELECT name FROM customers WHERE id = ANY (ARRAY[1, 2]) ORDER BY id
SELECT name FROM customers WHERE city IN (SELECT city FROM customers WHERE id < 3) ORDER BY id
SELECT name FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id) ORDER BY name
SELECT name FROM customers c WHERE NOT EXISTS (SELECT FROM orders o WHERE o.customer_id = c.id AND o.total > 50) ORDER BY name
SELECT name, (SELECT count(*) FROM orders o WHERE o.customer_id = c.id) AS orders FROM customers c ORDER BY c.id
SELECT name, (SELECT max(total) FROM orders o WHERE o.customer_id = c.id) AS most FROM customers c ORDER BY c.id
SELECT * FROM orders ORDER BY id
SELECT o.* FROM orders o ORDER BY o.id
SELECT o.*, c.name FROM orders o JOIN customers c ON c.id = o.customer_id ORDER BY o.id
SELECT o.id, c.name FROM orders o JOIN customers c ON o.customer_id = c.id WHERE c.city = 'city1' ORDER BY o.id
SELECT o.id, c.name FROM orders o LEFT JOIN customers c ON o.customer_id = c.id ORDER BY o.id
SELECT c.name, o.id FROM customers c RIGHT JOIN orders o ON o.customer_id = c.id ORDER BY o.id
SELECT c.name, o.id FROM customers c FULL JOIN orders o ON o.customer_id = c.id ORDER BY o.id, c.id
SELECT c.name, s.name FROM customers c CROSS JOIN hr.staff s ORDER BY 1, 2
SELECT c.name, o.note FROM customers c, orders o WHERE o.customer_id = c.id ORDER BY o.id
SELECT id, c.name, o.total FROM customers c JOIN orders o USING (id) ORDER BY id
SELECT a.id, b.name FROM customers a JOIN customers b ON a.id = b.id + 1 ORDER BY a.id
SELECT placed, sum(total) FROM orders GROUP BY placed ORDER BY placed
SELECT date_trunc('month', placed) AS month, sum(total) FROM orders GROUP BY 1 ORDER BY 1
SELECT extract(year FROM placed) AS year, count(*) FROM orders GROUP BY year ORDER BY year
SELECT to_char(placed, 'YYYY-MM') FROM orders ORDER BY id
SELECT total::int, total::text, round(total, 1) FROM orders ORDER BY id
SELECT id, total * 1.2 AS gross, total - 1, -total, total % 7 FROM orders ORDER BY id
SELECT avg(total) FILTER (WHERE id > 2), count(DISTINCT customer_id) FROM orders
SELECT customer_id, array_agg(id ORDER BY id) FROM orders GROUP BY customer_id ORDER BY customer_id
SELECT customer_id, string_agg(note, ', ' ORDER BY note) FROM orders GROUP BY customer_id ORDER BY 1
SELECT json_agg(o ORDER BY o.id) FROM orders o
SELECT row_to_json(o) FROM orders o ORDER BY o.id
SELECT to_jsonb(o) - 'note' FROM orders o ORDER BY o.id
SELECT o FROM orders o ORDER BY o.id
SELECT (o).note FROM orders o ORDER BY (o).id
SELECT row_to_json(t) FROM (SELECT id, name FROM customers ORDER BY id) t
SELECT json_build_object('id', id, 'name', name) FROM customers ORDER BY id
SELECT jsonb_object_agg(id, name) FROM customers
SELECT ARRAY(SELECT name FROM customers ORDER BY id)
SELECT ARRAY[id, customer_id] FROM orders ORDER BY id
SELECT ROW(id, name) FROM customers ORDER BY id
SELECT unnest(ARRAY[1, 2, 3])
SELECT * FROM unnest(ARRAY['a', 'b']) WITH ORDINALITY AS u(value, place)
SELECT * FROM generate_series(1, 5)
SELECT g FROM generate_series(1, 5) AS g
SELECT g.n * 2 FROM generate_series(1, 5) AS g(n)
SELECT d::date FROM generate_series('2024-01-01'::timestamp, '2024-01-05', '1 day') d
SELECT c.name, g FROM customers c, generate_series(1, 2) g ORDER BY c.id, g
SELECT c.name, g FROM customers c JOIN generate_series(1, 3) g ON g = c.id ORDER BY g
SELECT o.id, row_number() OVER (ORDER BY o.total) FROM orders o ORDER BY 1
SELECT id, rank() OVER (PARTITION BY customer_id ORDER BY total DESC) FROM orders ORDER BY id
SELECT id, lag(total) OVER w, lead(total) OVER w FROM orders WINDOW w AS (ORDER BY id) ORDER BY id
SELECT id, sum(total) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM orders ORDER BY id
SELECT id, ntile(3) OVER (ORDER BY id) FROM customers ORDER BY id
SELECT count(*) OVER () AS whole, name FROM customers ORDER BY id
WITH recent AS (SELECT * FROM orders WHERE id > 3) SELECT * FROM recent ORDER BY id
WITH a AS (SELECT id, name FROM customers), b AS (SELECT a.id FROM a) SELECT a.name FROM a JOIN b USING (id) ORDER BY a.id
WITH totals(customer, sum) AS (SELECT customer_id, sum(total) FROM orders GROUP BY 1) SELECT c.name, t.sum FROM totals t JOIN customers c ON c.id = t.customer ORDER BY 1
WITH m AS MATERIALIZED (SELECT id FROM customers) SELECT count(*) FROM m
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i FROM n
WITH RECURSIVE boss AS (SELECT id, name, boss FROM hr.staff WHERE boss IS NULL UNION ALL SELECT s.id, s.name, s.boss FROM hr.staff s JOIN boss b ON s.boss = b.id) SELECT id, name FROM boss ORDER BY id
WITH RECURSIVE t AS (SELECT id, boss, 1 AS depth FROM hr.staff WHERE boss IS NULL UNION SELECT s.id, s.boss, t.depth + 1 FROM hr.staff s, t WHERE s.boss = t.id) SELECT max(depth) FROM t
SELECT id, name FROM customers UNION SELECT id, note FROM orders ORDER BY 1, 2
SELECT name FROM customers UNION ALL SELECT note FROM orders ORDER BY 1
SELECT id FROM customers INTERSECT SELECT id FROM orders ORDER BY id
SELECT id FROM orders EXCEPT SELECT id FROM customers ORDER BY 1
(SELECT name FROM customers ORDER BY id LIMIT 1) UNION ALL (SELECT name FROM hr.staff ORDER BY id LIMIT 1)
VALUES (1, 'a'), (2, 'b')
SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v(id, letter)
SELECT v.letter, c.name FROM (VALUES (1, 'a'), (2, 'b')) v(id, letter) JOIN customers c ON c.id = v.id ORDER BY 1
TABLE orders
SELECT x.name FROM (SELECT id, name FROM customers) AS x ORDER BY x.id
SELECT x.n FROM (SELECT name FROM customers) AS x(n) ORDER BY 1
SELECT y.name FROM (SELECT x.name FROM (SELECT * FROM customers) x) y ORDER BY 1
SELECT c.name, l.note FROM customers c, LATERAL (SELECT note FROM orders o WHERE o.customer_id = c.id ORDER BY o.id LIMIT 1) l ORDER BY 1
SELECT c.name, l.n FROM customers c LEFT JOIN LATERAL (SELECT count(*) AS n FROM orders o WHERE o.customer_id = c.id) l ON true ORDER BY 1
SELECT * FROM v_clean ORDER BY id
SELECT label, city FROM v_clean WHERE id < 4 ORDER BY label
SELECT id, label, city FROM v_customers ORDER BY id
SELECT label FROM v_two ORDER BY id
SELECT id FROM v_union ORDER BY id
SELECT id, name FROM mv ORDER BY id
SELECT id, label FROM parent ORDER BY id
SELECT id, label, extra FROM child
SELECT id, label FROM ONLY parent
SELECT id, at, label FROM events
SELECT id, label FROM events_1
SELECT id, name, boss FROM hr.staff ORDER BY id
SELECT s.name, b.name AS boss FROM hr.staff s LEFT JOIN hr.staff b ON b.id = s.boss ORDER BY s.id
SELECT id, label FROM "Odd ""Table"
SELECT plain, id FROM snap ORDER BY id
SELECT get_name(1)
SELECT id, get_name(id) FROM customers ORDER BY id
SELECT pl_double(id) FROM customers ORDER BY id
SELECT * FROM clean_pairs() ORDER BY a
SELECT a, b FROM clean_pairs() WHERE a < 3 ORDER BY a
SELECT p.b FROM clean_pairs() AS p(a, b) ORDER BY p.a
SELECT identity_of(name) FROM customers ORDER BY id
SELECT first_of(name) FROM customers WHERE id = 1
SELECT tableoid::regclass, id FROM parent ORDER BY id
SELECT ctid, id FROM customers ORDER BY id
SELECT xmin IS NOT NULL, id FROM customers ORDER BY id
SELECT id FROM customers TABLESAMPLE BERNOULLI (100) ORDER BY id
SELECT id FROM customers ORDER BY id FETCH FIRST 2 ROWS ONLY
SELECT id FROM customers ORDER BY city, id NULLS FIRST FETCH FIRST 2 ROWS WITH TIES
SELECT grouping(city), city, count(*) FROM customers GROUP BY ROLLUP (city) ORDER BY 1, 2
SELECT city, name, count(*) FROM customers GROUP BY GROUPING SETS ((city), (name)) ORDER BY 1, 2
SELECT customer_id, placed, sum(total) FROM orders GROUP BY CUBE (customer_id, placed) ORDER BY 1, 2
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY total) FROM orders
SELECT mode() WITHIN GROUP (ORDER BY customer_id) FROM orders
SELECT bool_and(id > 0), every(id < 100), bit_or(id) FROM orders
SELECT greatest(id, customer_id), least(id, customer_id), nullif(id, 3) FROM orders ORDER BY id
SELECT id::text || '/' || note FROM orders ORDER BY id
SELECT note COLLATE "C" FROM orders ORDER BY note COLLATE "C"
SELECT position('o' IN note), overlay(note PLACING 'X' FROM 1), trim(both 'n' FROM note) FROM orders ORDER BY id
SELECT placed + interval '1 day', placed - 1, age(placed) IS NOT NULL FROM orders ORDER BY id
SELECT md5(note), encode(note::bytea, 'hex'), format('%s-%s', id, note) FROM orders ORDER BY id
SELECT '{"a": [1, 2]}'::jsonb -> 'a' ->> 0
SELECT key, value FROM jsonb_each_text('{"a": 1, "b": 2}')
SELECT * FROM json_to_recordset('[{"a": 1}]') AS x(a int)
SELECT * FROM jsonb_array_elements_text('["x", "y"]')
SELECT regexp_split_to_table(note, 'o') FROM orders WHERE id = 1
SELECT * FROM regexp_matches('abc', '(b)')
SELECT * FROM string_to_table('a,b', ',')
SELECT JSON_OBJECT('id' : id, 'name' : name) FROM customers ORDER BY id
SELECT JSON_ARRAYAGG(name ORDER BY id) FROM customers
SELECT * FROM JSON_TABLE('[{"a": 1}, {"a": 2}]', '$[*]' COLUMNS (a int PATH '$.a'))
SELECT relname, relkind FROM pg_class WHERE relname = 'customers'
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' ORDER BY 2
SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a WHERE a.attrelid = 'customers'::regclass AND a.attnum > 0 ORDER BY a.attnum
SELECT pg_get_viewdef('v_clean'::regclass)
SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'orders'::regclass ORDER BY 1
SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'customers' ORDER BY 1
SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, ordinal_position
SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema = 'hr'
SELECT oid, typname FROM pg_type WHERE typname = 'mood'
SELECT enumlabel FROM pg_enum ORDER BY enumsortorder
SELECT state, usename FROM pg_stat_activity WHERE pid = pg_backend_pid()
SELECT attname, null_frac, n_distinct FROM pg_stats WHERE tablename = 'orders' ORDER BY 1
SELECT name, setting FROM pg_settings WHERE name = 'server_version'
SELECT datname FROM pg_database WHERE datname = current_database()
SELECT rolname FROM pg_roles WHERE rolname = 'postgres'
SELECT obj_description('customers'::regclass), pg_size_pretty(pg_relation_size('customers')) IS NOT NULL
SELECT has_table_privilege('customers', 'SELECT'), to_regclass('customers')
SELECT id FROM customers WHERE ssn = 'canaryssn1'
SELECT name FROM customers WHERE email = 'canarymail1@shop.test' AND city IS NOT NULL
SELECT id FROM customers WHERE ssn IN ('canaryssn1', 'canaryssn2') ORDER BY id
SELECT id FROM customers WHERE ssn IS NULL
SELECT id FROM customers WHERE ssn IS NOT NULL ORDER BY id
SELECT id FROM customers WHERE card = 7654321000001 OR card = 5
SELECT id FROM customers WHERE ssn = ANY (ARRAY['canaryssn1', 'canaryssn3']) ORDER BY id
SELECT id FROM customers WHERE (ssn, card) = ('canaryssn1', 7654321000001)
SELECT c.id FROM customers c JOIN mv ON mv.ssn = c.ssn ORDER BY c.id
SELECT c.id FROM customers c WHERE c.ssn IN (SELECT ssn FROM mv) ORDER BY c.id
SELECT id FROM customers WHERE ssn <> 'canaryssn1' ORDER BY id
EXPLAIN SELECT id FROM customers
EXPLAIN (FORMAT JSON) SELECT * FROM orders WHERE id = 1
SHOW server_version
SHOW search_path
SELECT id, name FROM customers WHERE name = 'name1' FOR SHARE
SELECT id, ssn IS NULL, email = 'nobody@x', email IS DISTINCT FROM NULL FROM customers ORDER BY id
SELECT id, CASE WHEN ssn IS NULL THEN 'none' ELSE 'some' END FROM customers ORDER BY id
SELECT sum(CASE WHEN email IS NULL THEN 1 ELSE 0 END), bool_or(ssn IS NULL) FROM customers
SELECT count(DISTINCT secret), (SELECT count(*) FROM (SELECT secret FROM events GROUP BY secret) x) FROM events
SELECT id, count(*) OVER (PARTITION BY secret) FROM events ORDER BY id
SELECT id, (SELECT max(o.total) FROM orders o WHERE o.customer_id = c.id) FROM customers c ORDER BY id
SELECT id, name FROM all_customers() ORDER BY id
SELECT c.id, o.note FROM all_customers() c JOIN orders o ON o.customer_id = c.id ORDER BY o.id
SELECT a FROM pairs() ORDER BY a
