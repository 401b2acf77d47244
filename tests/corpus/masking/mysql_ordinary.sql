-- Reads that touch no masked column, one on a line. They must come back as if nothing were masked.
SELECT 1
SELECT 1 AS one, 'two' AS two, NULL AS three
SELECT NOW() IS NOT NULL
SELECT VERSION() IS NOT NULL
SELECT DATABASE(), SCHEMA()
SELECT CURRENT_USER() IS NOT NULL
SELECT CONNECTION_ID() > 0
SELECT @@autocommit, @@sql_mode
SELECT @@character_set_results, @@collation_connection
SELECT id, name FROM customers
SELECT id, name FROM customers ORDER BY id
SELECT id, name FROM customers ORDER BY 2 DESC LIMIT 3 OFFSET 1
SELECT id, name FROM customers LIMIT 1, 2
SELECT c.id, c.name FROM customers AS c
SELECT c.id, c.name FROM wp_masking.customers c WHERE c.id = 3
SELECT customers.id, wp_masking.customers.name FROM wp_masking.customers
SELECT DISTINCT city FROM customers ORDER BY city
SELECT DISTINCT name, city FROM customers ORDER BY name
SELECT city, COUNT(*) FROM customers GROUP BY city ORDER BY city
SELECT city, COUNT(*) AS n FROM customers GROUP BY 1 HAVING COUNT(*) > 1 ORDER BY n DESC, city
SELECT city, COUNT(*) FROM customers GROUP BY city WITH ROLLUP
SELECT city, COUNT(ssn) FROM customers GROUP BY city ORDER BY 1
SELECT COUNT(*) FROM customers
SELECT COUNT(ssn), COUNT(email) FROM customers
SELECT COUNT(*) FROM customers WHERE city = 'city1'
SELECT COUNT(DISTINCT city) FROM customers
SELECT MIN(id), MAX(id), AVG(id), SUM(id) FROM customers
SELECT STD(id), VARIANCE(id), BIT_OR(id) FROM customers
SELECT GROUP_CONCAT(name ORDER BY id) FROM customers
SELECT GROUP_CONCAT(DISTINCT city ORDER BY city SEPARATOR '|') FROM customers
SELECT city, GROUP_CONCAT(name ORDER BY name SEPARATOR ', ') FROM customers GROUP BY city ORDER BY city
SELECT UPPER(name), LOWER(name), LENGTH(name), CHAR_LENGTH(name) FROM customers ORDER BY id
SELECT CONCAT(name, '!', city) AS loud FROM customers ORDER BY id
SELECT CONCAT_WS('-', id, name, city) FROM customers ORDER BY id
SELECT SUBSTRING(name, 1, 2), LEFT(name, 3), RIGHT(name, 2), MID(name, 2, 2) FROM customers ORDER BY id
SELECT COALESCE(name, 'none'), IFNULL(city, 'none'), NULLIF(city, 'city1') FROM customers ORDER BY id
SELECT IF(id > 3, 'late', 'early'), name FROM customers ORDER BY id
SELECT CASE WHEN id > 3 THEN 'late' ELSE 'early' END AS phase, name FROM customers ORDER BY id
SELECT CASE city WHEN 'city1' THEN 1 ELSE 2 END FROM customers ORDER BY id
SELECT REPLACE(name, 'name', 'n'), REVERSE(name), LPAD(name, 10, '.') FROM customers ORDER BY id
SELECT HEX(name), MD5(name), SHA1(name), CRC32(name) FROM customers ORDER BY id
SELECT TO_BASE64(name), FROM_BASE64(TO_BASE64(name)) FROM customers ORDER BY id
SELECT name FROM customers WHERE name LIKE 'name%' ORDER BY name
SELECT name FROM customers WHERE name REGEXP '^name[1-3]$' ORDER BY name
SELECT name FROM customers WHERE name NOT LIKE '%4' ORDER BY name
SELECT name FROM customers WHERE id BETWEEN 2 AND 4 ORDER BY id
SELECT name FROM customers WHERE id IN (1, 3, 5) ORDER BY id
SELECT name FROM customers WHERE (id, city) IN ((1, 'city1'), (2, 'city2')) ORDER BY id
SELECT name FROM customers WHERE city <> 'city1' AND id < 5 OR id = 6 ORDER BY id
SELECT name FROM customers WHERE NOT (id > 3) ORDER BY id
SELECT name FROM customers WHERE city IS NULL
SELECT name FROM customers WHERE city <=> 'city1' ORDER BY id
SELECT name FROM customers WHERE id = 1 XOR id = 2 ORDER BY id
SELECT name FROM customers WHERE ssn = 'nobody'
SELECT name FROM customers WHERE ssn = 'canaryssn1'
SELECT name FROM customers WHERE ssn IN ('canaryssn1', 'canaryssn2') ORDER BY id
SELECT name FROM customers WHERE card = 7654321000003
SELECT name FROM customers WHERE email IS NOT NULL ORDER BY id
SELECT id + 1, id * 2, id / 2, id DIV 2, id % 2, -id FROM customers ORDER BY id
SELECT ROUND(id / 3, 2), FLOOR(id / 3), CEIL(id / 3), ABS(-id), SIGN(id) FROM customers ORDER BY id
SELECT id & 1, id | 8, id ^ 3, id << 2, ~id FROM customers ORDER BY id
SELECT CAST(id AS char), CAST(id AS decimal(10, 2)), CONVERT(id, char) FROM customers ORDER BY id
SELECT CONVERT(name USING utf8mb4) FROM customers ORDER BY id
SELECT FORMAT(total, 2) FROM orders ORDER BY id
SELECT * FROM orders
SELECT * FROM orders ORDER BY id
SELECT o.* FROM orders o WHERE o.total > 30 ORDER BY o.id
SELECT orders.*, 1 AS x FROM orders ORDER BY id
SELECT id, total, note, placed FROM orders WHERE placed > '2024-01-03' ORDER BY id
SELECT SUM(total), AVG(total), MIN(placed), MAX(placed) FROM orders
SELECT customer_id, SUM(total) AS s FROM orders GROUP BY customer_id ORDER BY customer_id
SELECT customer_id, SUM(total) AS s FROM orders GROUP BY customer_id HAVING s > 50 ORDER BY s DESC, customer_id
SELECT YEAR(placed), MONTH(placed), DAY(placed), DAYNAME(placed) FROM orders ORDER BY id
SELECT DATE_FORMAT(placed, '%d.%m.%Y'), placed + INTERVAL 1 DAY FROM orders ORDER BY id
SELECT DATEDIFF(placed, '2024-01-01'), TO_DAYS(placed), LAST_DAY(placed) FROM orders ORDER BY id
SELECT EXTRACT(YEAR_MONTH FROM placed) FROM orders ORDER BY id
SELECT STR_TO_DATE('01.02.2024', '%d.%m.%Y')
SELECT c.name, o.total FROM customers c JOIN orders o ON o.customer_id = c.id ORDER BY o.id
SELECT c.name, o.total FROM customers c INNER JOIN orders o ON o.customer_id = c.id AND o.total > 20 ORDER BY o.id
SELECT c.name, o.total FROM customers c LEFT JOIN orders o ON o.customer_id = c.id ORDER BY c.id, o.id
SELECT c.name, o.total FROM orders o RIGHT JOIN customers c ON o.customer_id = c.id ORDER BY c.id, o.id
SELECT c.name, o.total FROM customers c, orders o WHERE o.customer_id = c.id ORDER BY o.id
SELECT c.name, n.label FROM customers c CROSS JOIN numbers n WHERE n.n < 3 ORDER BY c.id, n.n
SELECT c.name, o.note FROM customers c STRAIGHT_JOIN orders o ON o.customer_id = c.id ORDER BY o.id
SELECT a.name, b.name FROM customers a JOIN customers b USING (id) ORDER BY a.id
SELECT id, a.name FROM customers a JOIN v_clean b USING (id) ORDER BY id
SELECT c.name FROM customers c NATURAL JOIN (SELECT id FROM orders) o ORDER BY c.id
SELECT s.name, b.name FROM wp_masking_hr.staff s LEFT JOIN wp_masking_hr.staff b ON b.id = s.boss ORDER BY s.id
SELECT name FROM wp_masking_hr.staff ORDER BY id
SELECT id, name, boss FROM wp_masking_hr.staff WHERE boss IS NOT NULL ORDER BY id
SELECT name FROM customers WHERE id IN (SELECT customer_id FROM orders WHERE total > 50) ORDER BY id
SELECT name FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id) ORDER BY id
SELECT name FROM customers c WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id AND o.total > 80) ORDER BY id
SELECT name, (SELECT COUNT(*) FROM orders o WHERE o.customer_id = c.id) AS n FROM customers c ORDER BY id
SELECT name, (SELECT MAX(total) FROM orders o WHERE o.customer_id = c.id) AS most FROM customers c ORDER BY id
SELECT name FROM customers WHERE id = (SELECT MAX(id) FROM customers)
SELECT name FROM customers WHERE id >= ALL (SELECT id FROM customers)
SELECT name FROM customers WHERE id = ANY (SELECT customer_id FROM orders) ORDER BY id
SELECT x.name FROM (SELECT id, name FROM customers) x ORDER BY x.id
SELECT x.n, COUNT(*) FROM (SELECT customer_id AS n FROM orders) x GROUP BY x.n ORDER BY x.n
SELECT y.name FROM (SELECT x.* FROM (SELECT id, name FROM customers WHERE id < 4) x) y ORDER BY y.id
SELECT x.name FROM (SELECT id, name, ssn FROM customers) x ORDER BY x.id
SELECT x.id FROM (SELECT * FROM customers) x ORDER BY x.id
WITH x AS (SELECT id, name FROM customers) SELECT * FROM x ORDER BY id
WITH x (a, b) AS (SELECT id, name FROM customers) SELECT b FROM x WHERE a > 2 ORDER BY a
WITH x AS (SELECT id, name, ssn FROM customers) SELECT name FROM x ORDER BY id
WITH x AS (SELECT customer_id, SUM(total) AS s FROM orders GROUP BY customer_id), y AS (SELECT AVG(s) AS m FROM x) SELECT x.customer_id, x.s FROM x, y WHERE x.s > y.m ORDER BY 1
WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 10) SELECT n FROM r
WITH RECURSIVE r (n, f) AS (SELECT 1, 1 UNION ALL SELECT n + 1, f * (n + 1) FROM r WHERE n < 6) SELECT * FROM r
WITH RECURSIVE up AS (SELECT id, name, boss FROM wp_masking_hr.staff WHERE id = 5 UNION ALL SELECT s.id, s.name, s.boss FROM wp_masking_hr.staff s JOIN up ON up.boss = s.id) SELECT id, name FROM up ORDER BY id
SELECT name FROM customers UNION SELECT note FROM orders ORDER BY 1
SELECT name FROM customers UNION ALL SELECT label FROM numbers ORDER BY 1 LIMIT 5
(SELECT name FROM customers ORDER BY id LIMIT 2) UNION ALL (SELECT note FROM orders ORDER BY id LIMIT 2)
SELECT id FROM customers EXCEPT SELECT customer_id FROM orders WHERE total > 60 ORDER BY 1
SELECT id FROM customers INTERSECT SELECT customer_id FROM orders ORDER BY 1
SELECT id, name, ROW_NUMBER() OVER (ORDER BY id) FROM customers ORDER BY id
SELECT city, name, RANK() OVER (PARTITION BY city ORDER BY id) AS r FROM customers ORDER BY id
SELECT id, SUM(total) OVER (ORDER BY id) AS running FROM orders ORDER BY id
SELECT id, LAG(total) OVER (ORDER BY id), LEAD(total, 2, 0) OVER (ORDER BY id) FROM orders ORDER BY id
SELECT id, FIRST_VALUE(name) OVER w, LAST_VALUE(name) OVER w FROM customers WINDOW w AS (PARTITION BY city ORDER BY id) ORDER BY id
SELECT id, NTILE(3) OVER (ORDER BY id), PERCENT_RANK() OVER (ORDER BY id), CUME_DIST() OVER (ORDER BY id) FROM customers ORDER BY id
SELECT id, AVG(total) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM orders ORDER BY id
SELECT city, COUNT(*) OVER (PARTITION BY city) FROM customers ORDER BY id
SELECT JSON_OBJECT('id', id, 'name', name) FROM customers ORDER BY id
SELECT JSON_ARRAY(id, name) FROM customers ORDER BY id
SELECT JSON_ARRAYAGG(name) FROM customers WHERE id = 1
SELECT JSON_OBJECTAGG(id, name) FROM customers WHERE id = 1
SELECT JSON_EXTRACT('{"a": [1, 2]}', '$.a[1]')
SELECT JSON_UNQUOTE(JSON_EXTRACT('{"a": "x"}', '$.a')), JSON_VALID('{}'), JSON_LENGTH('[1, 2]')
SELECT j.v FROM JSON_TABLE('[1, 2, 3]', '$[*]' COLUMNS (v int PATH '$')) j
SELECT label, city FROM v_clean ORDER BY id
SELECT * FROM v_clean ORDER BY id
SELECT id, label, city FROM v_customers ORDER BY id
SELECT v.label FROM v_customers v JOIN orders o ON o.customer_id = v.id ORDER BY o.id
SELECT id, label FROM v_temptable ORDER BY id
SELECT id, name FROM v_merge ORDER BY id
SELECT city, n FROM v_total ORDER BY city
SELECT id FROM v_two ORDER BY id
SELECT id, label FROM events ORDER BY id
SELECT id, label FROM events PARTITION (low) ORDER BY id
SELECT COUNT(*) FROM events PARTITION (high)
SELECT id, label, body FROM notes ORDER BY id
SELECT label FROM `Odd ``Table`
SELECT n, label FROM numbers ORDER BY n LIMIT 5
SELECT n.n, c.name FROM numbers n LEFT JOIN customers c ON c.id = n.n ORDER BY n.n LIMIT 10
SELECT get_note(1)
SELECT id, get_note(id) FROM customers ORDER BY id
SELECT twice(21), twice(id) FROM customers ORDER BY id
CALL notes_only()
CALL notes_by_cursor()
SELECT id, name FROM customers FORCE INDEX (PRIMARY) WHERE id > 2 ORDER BY id
SELECT SQL_NO_CACHE name FROM customers ORDER BY id
SELECT /* a comment */ name FROM customers ORDER BY id
SELECT name FROM customers WHERE id = 1 LOCK IN SHARE MODE
SELECT name FROM customers WHERE id = 1 FOR UPDATE
SELECT `name` AS `The Name` FROM `customers` ORDER BY `id`
SELECT 'it''s', "double", 0x41, b'1010', 1.5e3, N'national', _utf8mb4'x'
SELECT DATE '2024-02-29', TIME '10:11:12', TIMESTAMP '2024-01-01 00:00:00'
SELECT CHAR(72, 105), ASCII('a'), ORD('ä'), BIN(10), OCT(10), CONV('ff', 16, 10)
SELECT LEAST(3, 1, 2), GREATEST('a', 'c', 'b'), INTERVAL(23, 1, 15, 17, 30), FIELD('b', 'a', 'b')
SELECT ELT(2, 'a', 'b'), MAKE_SET(5, 'a', 'b', 'c'), FIND_IN_SET('b', 'a,b'), INSTR('abc', 'c'), LOCATE('c', 'abc')
SELECT POW(2, 10), SQRT(16), EXP(0), LN(1), LOG(2, 8), PI(), RADIANS(180), TRUNCATE(1.999, 1)
SELECT UNHEX('4142'), QUOTE('a\'b'), SOUNDEX('hello'), SPACE(3), REPEAT('ab', 3), INSERT('abc', 2, 1, 'X')
SELECT INET_ATON('10.0.0.1'), INET_NTOA(167772161), INET6_NTOA(INET6_ATON('::1'))
SELECT REGEXP_REPLACE('abc', 'b', 'x'), REGEXP_SUBSTR('abc', '[bc]+'), REGEXP_INSTR('abc', 'c')
SELECT DATE_ADD('2024-01-31', INTERVAL 1 MONTH), TIMESTAMPDIFF(DAY, '2024-01-01', '2024-03-01'), WEEK('2024-02-29', 3)
SELECT FROM_UNIXTIME(0) IS NOT NULL, UNIX_TIMESTAMP('2024-01-01') > 0, SEC_TO_TIME(3661), MAKETIME(1, 2, 3)
SELECT EXTRACTVALUE('<a><b>x</b></a>', '/a/b'), UPDATEXML('<a>x</a>', '/a', '<b/>')
SET @x = 5;;SELECT @x, @x + 1
SELECT @y := 7;;SELECT @y
SELECT name INTO @z FROM customers WHERE id = 1;;SELECT @z
PREPARE s FROM 'SELECT id, name FROM customers WHERE id = ?';;SET @i = 2;;EXECUTE s USING @i;;DEALLOCATE PREPARE s
START TRANSACTION;;SELECT name FROM customers WHERE id = 1;;COMMIT
START TRANSACTION READ ONLY;;SELECT COUNT(*) FROM orders;;ROLLBACK
START TRANSACTION;;INSERT INTO orders (id, customer_id, total, note, placed) VALUES (100, 1, 5, 'new', '2024-05-05');;SELECT * FROM orders WHERE id = 100;;ROLLBACK
START TRANSACTION;;UPDATE orders SET total = total + 1 WHERE id = 1;;SELECT total FROM orders WHERE id = 1;;ROLLBACK
START TRANSACTION;;DELETE FROM orders WHERE id = 2;;SELECT COUNT(*) FROM orders;;ROLLBACK
START TRANSACTION;;UPDATE customers SET name = 'other' WHERE id = 1;;SELECT name FROM customers WHERE id = 1;;ROLLBACK
START TRANSACTION;;INSERT INTO customers (id, name, ssn) VALUES (200, 'new', 'x-200');;SELECT name FROM customers WHERE id = 200;;ROLLBACK
START TRANSACTION;;UPDATE customers SET ssn = 'new-ssn' WHERE id = 1;;ROLLBACK
[mariadb] START TRANSACTION;;INSERT INTO orders (id, note) VALUES (101, 'x') RETURNING id, note;;ROLLBACK
SHOW TABLES
SHOW FULL TABLES LIKE 'v%'
SHOW DATABASES LIKE 'wp_masking%'
SHOW COLUMNS FROM orders
DESCRIBE customers
SHOW INDEX FROM orders
SHOW VARIABLES LIKE 'sql_mode'
SHOW CHARACTER SET LIKE 'utf8mb4'
SHOW CREATE VIEW v_clean
SHOW ENGINES
SHOW WARNINGS
SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'wp_masking'
SELECT COLUMN_NAME, DATA_TYPE FROM information_schema.COLUMNS WHERE TABLE_NAME = 'orders' AND TABLE_SCHEMA = 'wp_masking' ORDER BY ORDINAL_POSITION
SELECT TABLE_NAME FROM information_schema.VIEWS WHERE TABLE_SCHEMA = 'wp_masking' ORDER BY 1
SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = 'wp_masking' ORDER BY 1
EXPLAIN SELECT id, total FROM orders WHERE id = 1
SELECT name FROM nowhere
SELECT name, FROM customers
SELECT name FROM customers customers, orders customers
SELECT COUNT(*) FROM orders WHERE id = 'x'
[mysql] SELECT l.s FROM customers c, LATERAL (SELECT SUM(total) AS s FROM orders o WHERE o.customer_id = c.id) l ORDER BY c.id
[mysql] TABLE numbers ORDER BY n LIMIT 3
[mysql] VALUES ROW(1, 'a'), ROW(2, 'b')
[mariadb] SELECT NEXT VALUE FOR counter IS NOT NULL
[mariadb] SELECT id, label FROM system_versioned FOR SYSTEM_TIME ALL ORDER BY id, label
[mariadb] SELECT id FROM ids
SELECT nothing FROM orders
SELECT id, label FROM merge_of ORDER BY id
SELECT UPPER(label) FROM merged ORDER BY id
[mysql] SELECT id, name FROM far ORDER BY id
SELECT id, label FROM v_kept ORDER BY id
SELECT COUNT(*) FROM kept
SELECT id, ssn IS NULL, email = 'nobody@x' AS nobody, NOT (ssn <=> NULL) FROM customers ORDER BY id
SELECT id, CASE WHEN ssn IS NULL THEN 'none' ELSE 'some' END AS has, IF(email IS NULL, 0, 1) AS mail FROM customers ORDER BY id
SELECT SUM(ssn IS NULL), SUM(CASE WHEN email IS NULL THEN 1 ELSE 0 END) FROM customers
SELECT COUNT(DISTINCT secret), (SELECT COUNT(*) FROM (SELECT secret FROM events GROUP BY secret) x) AS n FROM events
SELECT id, COUNT(*) OVER (PARTITION BY secret) AS n FROM events ORDER BY id
