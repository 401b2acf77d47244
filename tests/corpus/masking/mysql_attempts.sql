-- Ways to see a masked value, one on a line; the statements of one attempt are parted by ";;". Each leaks on a direct connection.
-- [mariadb] and [mysql]: only one server has the syntax, or only there it leaks. [text]: it leaks in the text protocol alone.
-- [firm]: a condition that a policy may let pass; it is held under `equality`.
SELECT ssn FROM customers
SELECT ssn AS name FROM customers
SELECT ssn name FROM customers
SELECT ssn AS 'name' FROM customers
SELECT `ssn` FROM `customers`
SELECT `wp_masking`.`customers`.`ssn` FROM `wp_masking`.`customers`
SELECT wp_masking.customers.ssn FROM wp_masking.customers
SELECT SSN FROM customers
SELECT sSn AS Ssn FROM customers
SELECT c.ssn FROM customers c
SELECT c.SSN FROM customers AS `c`
SELECT * FROM customers
SELECT customers.* FROM customers
SELECT c.* FROM customers c
SELECT ALL ssn FROM customers
SELECT SQL_NO_CACHE ssn FROM customers
SELECT SQL_CALC_FOUND_ROWS ssn FROM customers LIMIT 1
SELECT STRAIGHT_JOIN c.ssn FROM customers c JOIN orders o ON o.customer_id = c.id
SELECT HIGH_PRIORITY ssn FROM customers
SELECT SQL_BUFFER_RESULT ssn FROM customers
SELECT SQL_SMALL_RESULT ssn FROM customers GROUP BY ssn
SELECT DISTINCT ssn FROM customers
SELECT DISTINCTROW ssn FROM customers
SELECT ssn FROM customers USE INDEX (by_city)
SELECT ssn FROM customers FORCE INDEX (PRIMARY) WHERE id = 1
SELECT ssn FROM customers IGNORE INDEX (by_card) WHERE id = 1
SELECT/**/ssn/**/FROM/**/customers
SELECT ssn FROM customers # a comment
SELECT ssn FROM customers WHERE id = 1 LIMIT 1
SELECT ssn FROM customers LIMIT 1, 2
SELECT ssn FROM customers LIMIT 2 OFFSET 1
SELECT ssn FROM customers WHERE id = 1 FOR UPDATE
SELECT ssn FROM customers WHERE id = 1 LOCK IN SHARE MODE
[mysql] SELECT ssn FROM customers WHERE id = 1 FOR SHARE
[mysql] SELECT ssn FROM customers WHERE id = 1 FOR UPDATE SKIP LOCKED
[mysql] TABLE customers
[mysql] TABLE customers ORDER BY id LIMIT 1
(SELECT ssn FROM customers)
((SELECT ssn FROM customers))
(SELECT ssn FROM customers LIMIT 1) LIMIT 1
SELECT /*! ssn */ FROM customers
SELECT /*!50000 ssn */ FROM customers
SELECT ssn /*! AS name */ FROM customers
[mariadb] SELECT /*M! ssn */ FROM customers
[mariadb] SELECT /*M!100100 ssn */ FROM customers
SELECT name FROM customers /*! UNION SELECT ssn FROM customers */
SELECT name FROM customers /*!50000 UNION ALL SELECT ssn FROM customers */
SELECT email FROM customers
SELECT card FROM customers
SELECT salary FROM customers
SELECT feeling FROM customers
SELECT likes FROM customers
SELECT doc FROM customers
SELECT raw FROM customers
SELECT born FROM customers
SELECT seen FROM customers
SELECT ratio FROM customers
SELECT upper_ssn FROM customers
SELECT secret FROM events
SELECT secret FROM events PARTITION (low)
SELECT e.secret FROM events PARTITION (high) AS e
SELECT secret FROM notes
SELECT pay FROM wp_masking_hr.staff
SELECT staff.pay FROM wp_masking_hr.staff
USE wp_masking_hr;;SELECT pay FROM staff;;USE wp_masking
SELECT `Weird.Col` FROM `Odd ``Table`
SELECT o.`Weird.Col` AS x FROM `Odd ``Table` o
SELECT `WEIRD.COL` FROM `Odd ``Table`
[mariadb] SELECT secret, HEX(secret) FROM ids
[mariadb] SELECT address, HEX(address) FROM ids
[mariadb] SELECT secret FROM system_versioned FOR SYSTEM_TIME ALL
[mariadb] SELECT secret FROM system_versioned FOR SYSTEM_TIME AS OF NOW()
SELECT x.name FROM (SELECT ssn AS name FROM customers) x
[mysql] SELECT x.b FROM (SELECT id, ssn FROM customers) x (a, b)
SELECT z.ssn FROM (SELECT y.* FROM (SELECT x.* FROM customers x) y) z
SELECT (SELECT ssn FROM customers LIMIT 1)
SELECT (SELECT ssn FROM customers WHERE id = n.n) FROM numbers n WHERE n.n = 1
SELECT name, (SELECT c2.ssn FROM customers c2 WHERE c2.id = c.id) FROM customers c
SELECT (SELECT (SELECT ssn FROM customers LIMIT 1))
SELECT (SELECT x.ssn FROM (SELECT ssn FROM customers) x LIMIT 1) AS name
SELECT x.v FROM numbers n JOIN (SELECT id, card AS v FROM customers) x ON x.id = n.n
WITH x AS (SELECT ssn FROM customers) SELECT * FROM x
WITH x AS (SELECT ssn AS name FROM customers) SELECT name FROM x
WITH x (name) AS (SELECT ssn FROM customers) SELECT name FROM x
WITH x AS (SELECT ssn FROM customers), y AS (SELECT ssn AS b FROM x) SELECT b FROM y
WITH customers AS (SELECT id, ssn AS name FROM customers) SELECT name FROM customers
WITH orders AS (SELECT ssn AS note FROM customers) SELECT note FROM orders
WITH RECURSIVE r (n, v) AS (SELECT 1, CAST('' AS char(200)) UNION ALL SELECT n + 1, CONCAT(r.v, c.ssn) FROM r JOIN customers c ON c.id = r.n WHERE n < 4) SELECT v FROM r
WITH RECURSIVE r (n, v) AS (SELECT id, ssn FROM customers UNION ALL SELECT n + 1, v FROM r WHERE n < 3) SELECT v FROM r
WITH RECURSIVE r (a, b, c) AS (SELECT 1, ssn, CAST('x' AS char(30)) FROM customers UNION ALL SELECT a + 1, c, b FROM r WHERE a < 3) SELECT c FROM r
WITH RECURSIVE r (n, v) AS (SELECT 1, card FROM customers UNION SELECT n + 1, v + 0 FROM r WHERE n < 3) SELECT v FROM r
SELECT name FROM customers UNION SELECT ssn FROM customers
SELECT name FROM customers UNION ALL SELECT ssn FROM customers
SELECT ssn FROM customers UNION ALL SELECT name FROM customers
SELECT 1, 'x' UNION SELECT id, ssn FROM customers
(SELECT name FROM customers) UNION ALL (SELECT ssn FROM customers LIMIT 1)
SELECT x.name FROM (SELECT name FROM customers UNION ALL SELECT ssn FROM customers) x
SELECT name FROM customers UNION DISTINCT SELECT email FROM customers ORDER BY 1 LIMIT 5
SELECT ssn FROM customers EXCEPT SELECT 'x'
SELECT ssn FROM customers INTERSECT SELECT ssn FROM customers
[mysql] SELECT id, name, city FROM customers UNION TABLE v_merge
[mysql] VALUES ROW(1, 'x') UNION SELECT id, ssn FROM customers
[mariadb] VALUES (1, 'x') UNION SELECT id, ssn FROM customers
[mysql] VALUES ROW((SELECT ssn FROM customers LIMIT 1))
[mariadb] VALUES ((SELECT ssn FROM customers LIMIT 1))
SELECT a.ssn FROM customers a JOIN customers b USING (ssn)
SELECT ssn FROM customers a JOIN customers b USING (ssn)
SELECT * FROM customers a JOIN customers b USING (ssn)
SELECT * FROM customers a NATURAL JOIN customers b
SELECT ssn FROM customers NATURAL JOIN v_merge
SELECT ssn FROM (SELECT name AS ssn, id FROM customers WHERE 1 = 0) a NATURAL RIGHT JOIN (SELECT ssn, id FROM customers) b
SELECT ssn FROM v_merge NATURAL LEFT JOIN customers
SELECT c.ssn FROM orders o LEFT JOIN customers c ON c.id = o.customer_id
SELECT c.ssn FROM orders o, customers c WHERE c.id = o.customer_id
SELECT c.ssn FROM orders o CROSS JOIN customers c
SELECT c.ssn FROM orders o INNER JOIN (customers c, numbers n) ON c.id = o.customer_id AND n.n = c.id
SELECT c.ssn FROM orders o RIGHT JOIN customers c ON c.id = o.customer_id
SELECT c.ssn FROM orders o STRAIGHT_JOIN customers c ON c.id = o.customer_id
SELECT c.ssn FROM { OJ orders o LEFT OUTER JOIN customers c ON c.id = o.customer_id }
[mysql] SELECT l.v FROM customers c, LATERAL (SELECT c.ssn AS v) l
[mysql] SELECT l.v FROM customers c JOIN LATERAL (SELECT CONCAT(c.ssn, o.note) AS v FROM orders o WHERE o.customer_id = c.id) l
[mysql] SELECT l.v FROM customers c LEFT JOIN LATERAL (SELECT c.card + 0 AS v) l ON TRUE
SELECT JSON_OBJECT('k', ssn) FROM customers
SELECT JSON_OBJECT(ssn, 1) FROM customers
SELECT JSON_ARRAY(ssn, id) FROM customers
SELECT JSON_ARRAY(card) FROM customers
SELECT JSON_ARRAYAGG(ssn) FROM customers
SELECT JSON_ARRAYAGG(JSON_OBJECT('a', email, 'b', id)) FROM customers
SELECT JSON_OBJECTAGG(id, ssn) FROM customers
SELECT JSON_OBJECTAGG(ssn, id) FROM customers
SELECT JSON_QUOTE(ssn) FROM customers
SELECT JSON_UNQUOTE(JSON_QUOTE(ssn)) FROM customers
SELECT JSON_EXTRACT(doc, '$.k') FROM customers
SELECT JSON_UNQUOTE(JSON_EXTRACT(doc, '$.k')) FROM customers
SELECT JSON_VALUE(doc, '$.k') FROM customers
[mysql] SELECT doc -> '$.k' FROM customers
[mysql] SELECT doc ->> '$.k' FROM customers
[mysql] SELECT doc ->> '$[0].k' FROM customers
[mariadb] SELECT JSON_QUERY(doc, '$') FROM customers WHERE JSON_VALUE(doc, '$.k') IS NOT NULL
SELECT JSON_SET('{}', '$.a', ssn) FROM customers
SELECT JSON_INSERT('{}', '$.a', ssn) FROM customers
SELECT JSON_REPLACE('{"a": 1}', '$.a', ssn) FROM customers
SELECT JSON_ARRAY_APPEND('[]', '$', ssn) FROM customers
SELECT JSON_ARRAY_INSERT('[1]', '$[0]', ssn) FROM customers
SELECT JSON_MERGE_PRESERVE(doc, '{"x": 1}') FROM customers
SELECT JSON_MERGE_PATCH('{"x": 1}', doc) FROM customers
SELECT JSON_REMOVE(doc, '$.x') FROM customers
SELECT JSON_SEARCH(doc, 'one', '%doc1'), doc FROM customers
SELECT JSON_PRETTY(doc) FROM customers
[mariadb] SELECT JSON_DETAILED(doc) FROM customers
[mariadb] SELECT JSON_COMPACT(doc) FROM customers
[mariadb] SELECT JSON_LOOSE(doc) FROM customers
[mariadb] SELECT JSON_NORMALIZE(doc) FROM customers
SELECT JSON_KEYS(JSON_OBJECT(ssn, 1)) FROM customers
SELECT j.v FROM customers c, JSON_TABLE(c.doc, '$' COLUMNS (v varchar(40) PATH '$.k')) j
SELECT j.v FROM customers c JOIN JSON_TABLE(CONCAT('["', c.ssn, '"]'), '$[*]' COLUMNS (n FOR ORDINALITY, v varchar(40) PATH '$')) j
[mariadb] SELECT j.* FROM JSON_TABLE((SELECT JSON_ARRAYAGG(ssn) FROM customers), '$[*]' COLUMNS (v varchar(40) PATH '$')) j
SELECT GROUP_CONCAT(ssn) FROM customers
SELECT GROUP_CONCAT(DISTINCT ssn ORDER BY ssn DESC SEPARATOR '|') FROM customers
SELECT GROUP_CONCAT(id, ssn) FROM customers
SELECT GROUP_CONCAT('x' SEPARATOR 'y'), GROUP_CONCAT(email SEPARATOR '') FROM customers
SELECT city, GROUP_CONCAT(ssn) FROM customers GROUP BY city
SELECT city, MAX(ssn) FROM customers GROUP BY city WITH ROLLUP
SELECT MAX(ssn), MIN(ssn) FROM customers
SELECT MAX(card) FROM customers
SELECT MIN(born) FROM customers
SELECT AVG(card) FROM customers WHERE id = 1
SELECT SUM(card) FROM customers WHERE id = 1
SELECT SUM(salary) FROM customers WHERE id = 1
SELECT BIT_OR(card) FROM customers WHERE id = 1
SELECT BIT_XOR(card) FROM customers WHERE id = 1
SELECT BIT_AND(card) FROM customers WHERE id = 1
[mysql] SELECT ANY_VALUE(ssn) FROM customers GROUP BY city
SELECT MAX(ssn) AS m FROM customers HAVING m IS NOT NULL
SELECT ssn FROM customers GROUP BY ssn
SELECT ssn, COUNT(*) FROM customers GROUP BY ssn WITH ROLLUP
SELECT CONCAT(ssn) FROM customers
SELECT CONCAT('x', ssn, 'y') FROM customers
SELECT CONCAT_WS('-', id, ssn) FROM customers
SELECT UPPER(ssn) FROM customers
SELECT UCASE(ssn), LCASE(ssn), LOWER(ssn) FROM customers
SELECT REVERSE(ssn) FROM customers
SELECT HEX(ssn) FROM customers
SELECT UNHEX(HEX(ssn)) FROM customers
SELECT TO_BASE64(ssn) FROM customers
SELECT FROM_BASE64(TO_BASE64(ssn)) FROM customers
SELECT LEFT(ssn, 7), RIGHT(ssn, 30) FROM customers
SELECT SUBSTRING(ssn, 1), SUBSTR(ssn FROM 1), MID(ssn, 1, 20) FROM customers
SELECT SUBSTRING_INDEX(ssn, 'q', 1) FROM customers
SELECT TRIM(ssn), LTRIM(ssn), RTRIM(ssn) FROM customers
SELECT TRIM(BOTH 'x' FROM ssn) FROM customers
SELECT LPAD(ssn, 20, 'x'), RPAD(ssn, 20, 'x') FROM customers
SELECT REPEAT(ssn, 2) FROM customers
SELECT REPLACE(ssn, 'q', 'r') FROM customers
SELECT REPLACE('x', 'x', ssn) FROM customers
SELECT INSERT(ssn, 1, 0, 'x') FROM customers
SELECT INSERT('abc', 2, 1, ssn) FROM customers
SELECT QUOTE(ssn) FROM customers
SELECT ELT(1, ssn) FROM customers
SELECT ELT(2, 'x', ssn) FROM customers
SELECT MAKE_SET(1, ssn) FROM customers
SELECT EXPORT_SET(1, ssn, 'x', ',', 1) FROM customers
SELECT COALESCE(ssn, 'x') FROM customers
SELECT COALESCE(NULL, ssn) FROM customers
SELECT IFNULL(ssn, 'x'), IFNULL(NULL, ssn) FROM customers
SELECT NULLIF(ssn, 'x') FROM customers
SELECT IF(id > 0, ssn, 'x') FROM customers
SELECT CASE WHEN id > 0 THEN ssn END FROM customers
SELECT CASE id WHEN 1 THEN ssn ELSE email END FROM customers
SELECT CASE ssn WHEN 'x' THEN 1 ELSE ssn END FROM customers
SELECT GREATEST(ssn, ''), LEAST(ssn, 'x') FROM customers
SELECT CAST(ssn AS char) FROM customers
SELECT CAST(ssn AS binary) FROM customers
SELECT CAST(card AS char) FROM customers
SELECT CAST(card AS unsigned), CAST(card AS signed), CAST(card AS decimal(20, 3)) FROM customers
SELECT CAST(card AS double) FROM customers
SELECT CAST(salary AS decimal(20, 5)) FROM customers
SELECT CAST(born AS char), CAST(born AS datetime), CAST(born AS unsigned) FROM customers
SELECT CAST(JSON_OBJECT('k', ssn) AS char) FROM customers
[mysql] SELECT CAST(JSON_QUOTE(ssn) AS json) FROM customers
[mysql] SELECT JSON_VALUE(JSON_OBJECT('k', ssn), '$.k' RETURNING char(40)) FROM customers
SELECT CONVERT(ssn, char) FROM customers
SELECT CONVERT(ssn USING utf8mb4) FROM customers
SELECT CONVERT(ssn USING latin1) FROM customers
SELECT CONVERT(CONVERT(ssn USING ucs2) USING utf8mb4) FROM customers
SELECT BINARY ssn FROM customers
SELECT ssn COLLATE utf8mb4_bin FROM customers
SELECT CONCAT(_utf8mb4'x', ssn) COLLATE utf8mb4_unicode_ci FROM customers
SELECT CHAR(ASCII(ssn), ASCII(SUBSTR(ssn, 2)), ASCII(SUBSTR(ssn, 3)), ASCII(SUBSTR(ssn, 4)), ASCII(SUBSTR(ssn, 5)), ASCII(SUBSTR(ssn, 6))) FROM customers
SELECT CHAR(ORD(LEFT(ssn, 1)), 97, 110, 97, 114, 121) FROM customers
SELECT CONV(HEX(ssn), 16, 16) , HEX(ssn) FROM customers
SELECT CONV(card, 10, 10) FROM customers
SELECT FORMAT(card, 0), REPLACE(FORMAT(card, 0), ',', '') FROM customers
SELECT FORMAT(salary, 1), REPLACE(FORMAT(salary, 1), ',', '') FROM customers
SELECT CONCAT(ssn, card, born) FROM customers
SELECT card + 0 FROM customers
SELECT card * 1, card / 1, card - 0, -(-card) FROM customers
SELECT card DIV 1, card MOD 100000000000000 FROM customers
SELECT card | 0, card ^ 0, card & 0xFFFFFFFFFFFF FROM customers
SELECT ~(~card) FROM customers
SELECT card << 0, card >> 0 FROM customers
SELECT ABS(card), FLOOR(card), CEIL(card), CEILING(card) FROM customers
SELECT ROUND(salary, 1), TRUNCATE(salary, 1), ROUND(salary) FROM customers
SELECT POW(card, 1), POWER(card, 1) FROM customers
SELECT MOD(card, 100000000000000) FROM customers
SELECT SQRT(card * 1.0 * card) FROM customers
SELECT DEGREES(RADIANS(card)) + 0.0, card + 0.0 FROM customers
SELECT BIN(card), OCT(card), card + 0 FROM customers
SELECT INET_NTOA(card), card + 1 - 1 FROM customers
SELECT DATE(born), DATE(seen), TIMESTAMP(born) FROM customers
SELECT DATE_FORMAT(born, '%Y-%m-%d') FROM customers
SELECT DATE_FORMAT(seen, '%Y%m%d') FROM customers
SELECT born + INTERVAL 0 DAY FROM customers
SELECT born + 0 FROM customers
SELECT DATE_ADD(born, INTERVAL 0 DAY), ADDDATE(born, 0), SUBDATE(born, 0), DATE_SUB(seen, INTERVAL 0 DAY) FROM customers
SELECT STR_TO_DATE(born, '%Y-%m-%d') FROM customers
SELECT MAKEDATE(YEAR(born), DAYOFYEAR(born)) FROM customers
SELECT FROM_DAYS(TO_DAYS(born)) FROM customers
SELECT CONCAT(YEAR(born), '-0', MONTH(born), '-', DAY(born)) FROM customers
SELECT EXTRACT(YEAR_MONTH FROM born), born + 0 FROM customers
SELECT TIMESTAMPADD(DAY, 0, born) FROM customers
SELECT LAST_DAY(born), DATE_SUB(born, INTERVAL 0 HOUR) FROM customers
SELECT CONVERT_TZ(seen, '+00:00', '+00:00') FROM customers
SELECT FROM_UNIXTIME(card / 10000), card FROM customers
[mariadb] SELECT TO_CHAR(seen, 'YYYY-MM-DD') FROM customers
SELECT ratio * 1, ratio + 0 FROM customers
SELECT REGEXP_REPLACE(ssn, 'q', 'r') FROM customers
SELECT REGEXP_SUBSTR(ssn, '.*') FROM customers
SELECT WEIGHT_STRING(CAST(ssn AS binary)) FROM customers
SELECT AES_DECRYPT(AES_ENCRYPT(ssn, 'k'), 'k') FROM customers
SELECT UNCOMPRESS(COMPRESS(ssn)) FROM customers
[mariadb] SELECT DECODE(ENCODE(ssn, 'k'), 'k') FROM customers
[mariadb] SELECT DES_DECRYPT(DES_ENCRYPT(ssn)) , ssn FROM customers
SELECT COMPRESS(ssn), ssn FROM customers
SELECT EXTRACTVALUE(CONCAT('<a>', ssn, '</a>'), '/a') FROM customers
SELECT UPDATEXML('<a>x</a>', '/a', CONCAT('<a>', ssn, '</a>')) FROM customers
SELECT SOUNDEX('x'), ssn FROM customers
SELECT NAME_CONST('x', 1), ssn FROM customers
SET sql_mode = 'PIPES_AS_CONCAT';;SELECT name || ssn FROM customers WHERE (SELECT 1);;SET sql_mode = DEFAULT
SET sql_mode = CONCAT(@@sql_mode, ',PIPES_AS_CONCAT');;SELECT 'x' || ssn FROM customers;;SET sql_mode = DEFAULT
SET sql_mode = 'ANSI_QUOTES';;SELECT "ssn" FROM "customers";;SET sql_mode = DEFAULT
SET sql_mode = 'ANSI';;SELECT "ssn" || 'x' FROM customers;;SET sql_mode = DEFAULT
[mariadb] SET sql_mode = 'ORACLE';;SELECT ssn FROM customers WHERE ROWNUM() < 3;;SET sql_mode = DEFAULT
[mariadb] SET STATEMENT max_statement_time = 10 FOR SELECT ssn FROM customers
SELECT @a1 := ssn FROM customers
SELECT @a2 := ssn FROM customers LIMIT 1;;SELECT @a2
SELECT ssn INTO @a3 FROM customers LIMIT 1;;SELECT @a3
SELECT MAX(ssn) FROM customers INTO @a4;;SELECT @a4
SET @a5 = (SELECT ssn FROM customers LIMIT 1);;SELECT @a5
SET @a6 := (SELECT MAX(card) FROM customers);;SELECT @a6 + 0
SELECT id, ssn INTO @a7, @a8 FROM customers LIMIT 1;;SELECT CONCAT(@a8)
SET @a9 = (SELECT ssn FROM customers LIMIT 1);;SET @a10 = @a9;;SELECT UPPER(@a10)
SET @a11 = '';;SELECT @a11 := CONCAT(@a11, ssn) FROM customers;;SELECT @a11
DO (SELECT @a12 := ssn FROM customers LIMIT 1);;SELECT @a12
SELECT 1 FROM customers WHERE (@a13 := ssn) IS NOT NULL;;SELECT @a13
SELECT 1 FROM customers ORDER BY (@a14 := email) LIMIT 1;;SELECT @a14
[mysql] SELECT @a15 := ssn FROM customers LIMIT 1;;SELECT VARIABLE_VALUE FROM performance_schema.user_variables_by_thread WHERE VARIABLE_NAME = 'a15'
[mariadb] SELECT @a15 := ssn FROM customers LIMIT 1;;SELECT VARIABLE_VALUE FROM information_schema.USER_VARIABLES
[mariadb] SELECT @a16 := ssn FROM customers LIMIT 1;;SHOW USER_VARIABLES LIKE 'a16'
SET @a17 = 'SELECT ssn FROM customers';;PREPARE zz FROM @a17;;EXECUTE zz
PREPARE zz FROM 'SELECT ssn FROM customers';;EXECUTE zz
PREPARE zz FROM 'SELECT ssn FROM customers WHERE id = ?';;SET @a18 = 1;;EXECUTE zz USING @a18
PREPARE zz FROM 'SELECT CONCAT(ssn, ?) FROM customers';;SET @a19 = 'x';;EXECUTE zz USING @a19
SET @a20 = CONCAT('SELECT s', 'sn FROM custo', 'mers');;PREPARE zz FROM @a20;;EXECUTE zz;;DEALLOCATE PREPARE zz
[mariadb] EXECUTE IMMEDIATE 'SELECT ssn FROM customers'
[mariadb] EXECUTE IMMEDIATE CONCAT('SELECT s', 'sn FROM custo', 'mers')
[mariadb] EXECUTE IMMEDIATE 'SELECT ssn FROM customers WHERE id = ?' USING 1
[mariadb] SET @g1 = (SELECT ssn FROM customers LIMIT 1);;EXECUTE IMMEDIATE 'SELECT ?' USING @g1
[mariadb] PREPARE zz FROM CONCAT('SELECT s', 'sn FROM customers');;EXECUTE zz
SET @a21 = (SELECT ssn FROM customers LIMIT 1);;PREPARE zz FROM 'SELECT ?';;EXECUTE zz USING @a21
[mariadb] BEGIN NOT ATOMIC SELECT ssn FROM customers; END
[mariadb] BEGIN NOT ATOMIC DECLARE v varchar(40); SELECT ssn INTO v FROM customers LIMIT 1; SELECT v; END
[mariadb] BEGIN NOT ATOMIC DECLARE v varchar(40); SELECT ssn INTO v FROM customers LIMIT 1; SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = v; END
[mariadb] BEGIN NOT ATOMIC FOR r IN (SELECT ssn FROM customers) DO SELECT r.ssn; END FOR; END
[mariadb] BEGIN NOT ATOMIC DECLARE r ROW TYPE OF customers; SELECT * INTO r FROM customers LIMIT 1; SELECT r.ssn; END
[mariadb] IF 1 THEN SELECT ssn FROM customers; END IF
SELECT get_ssn(1)
SELECT get_ssn(id) FROM customers
SELECT wp_masking.get_ssn(1)
SELECT `get_ssn`(1) AS x
SELECT GET_SSN(1)
SELECT CONCAT(get_ssn(1), 'x')
SELECT via_variable(1)
SELECT n FROM numbers WHERE get_ssn(1) = (@a22 := get_ssn(1)) LIMIT 1;;SELECT @a22
SELECT keep_ssn(1);;SELECT @kept
SET @a23 = get_ssn(1);;SELECT @a23
CALL all_customers()
CALL one_ssn(1)
CALL wp_masking.one_ssn(2)
CALL out_ssn(1, @a24);;SELECT @a24
CALL by_cursor()
CALL run_text('SELECT ssn FROM customers')
CALL raise_ssn(1)
CALL raise_as_server(1)
SELECT number FROM v_customers
SELECT mail FROM v_customers
SELECT * FROM v_customers
SELECT number FROM v_temptable
SELECT ssn FROM v_merge
SELECT deep FROM v_two
SELECT label FROM v_union
SELECT last FROM v_total
SELECT v.number AS id FROM v_customers v JOIN orders o ON o.customer_id = v.id
SELECT CONCAT(deep, id) FROM v_two
SELECT ROW_NUMBER() OVER (ORDER BY id), ssn FROM customers
SELECT LAG(ssn, 1) OVER (ORDER BY id) FROM customers
SELECT LEAD(ssn) OVER (ORDER BY id) FROM customers
SELECT FIRST_VALUE(ssn) OVER (ORDER BY id) FROM customers
SELECT LAST_VALUE(ssn) OVER (ORDER BY id) FROM customers
SELECT NTH_VALUE(ssn, 1) OVER (ORDER BY id) FROM customers
SELECT MAX(ssn) OVER () FROM customers
SELECT FIRST_VALUE(ssn) OVER w FROM customers WINDOW w AS (PARTITION BY city ORDER BY id)
SELECT SUM(card) OVER (PARTITION BY id) FROM customers
SELECT MAX(MAX(ssn)) OVER () FROM customers GROUP BY city
[mysql] SELECT JSON_ARRAYAGG(ssn) OVER () FROM customers
[mariadb] SELECT PERCENTILE_DISC(0.5) WITHIN GROUP (ORDER BY card) OVER (PARTITION BY id) FROM customers
[mariadb] INSERT INTO notes (id, label, secret) VALUES (90, 'x', 'canaryreturned') RETURNING secret;;DELETE FROM notes WHERE id = 90
[mariadb] DELETE FROM notes WHERE id = 91 OR id = 1 RETURNING secret;;REPLACE INTO notes (id, label, `body`, secret) VALUES (1, 'label1', 'body of note 1', CONCAT('canar', 'ynote1 word'))
[mariadb] REPLACE INTO notes (id, label, secret) VALUES (92, 'x', 'canaryreturned') RETURNING CONCAT(secret, 1);;DELETE FROM notes WHERE id = 92
[mariadb] START TRANSACTION;;DELETE FROM customers WHERE id = 6 RETURNING ssn;;ROLLBACK
[mariadb] START TRANSACTION;;DELETE FROM customers RETURNING *;;ROLLBACK
[mariadb] START TRANSACTION;;INSERT INTO orders (customer_id, note) VALUES (1, 'x') RETURNING (SELECT ssn FROM customers LIMIT 1);;ROLLBACK
[text] HANDLER customers OPEN;;HANDLER customers READ FIRST;;HANDLER customers CLOSE
HANDLER customers OPEN AS h;;HANDLER h READ `PRIMARY` = (1);;HANDLER h CLOSE
HANDLER customers OPEN AS h;;HANDLER h READ by_card FIRST;;HANDLER h CLOSE
SELECT ssn INTO OUTFILE '/tmp/FILE1' FROM customers;;SELECT LOAD_FILE('/tmp/FILE1')
SELECT ssn FROM customers WHERE id = 1 INTO DUMPFILE '/tmp/FILE2';;SELECT LOAD_FILE('/tmp/FILE2')
SELECT ssn INTO OUTFILE '/tmp/FILE3' FROM customers;;START TRANSACTION;;LOAD DATA INFILE '/tmp/FILE3' INTO TABLE orders (note);;SELECT note FROM orders WHERE total IS NULL;;ROLLBACK
START TRANSACTION;;INSERT INTO orders (note) SELECT ssn FROM customers;;SELECT note FROM orders WHERE total IS NULL;;ROLLBACK
START TRANSACTION;;INSERT INTO orders (note) VALUES ((SELECT ssn FROM customers LIMIT 1));;SELECT note FROM orders WHERE total IS NULL;;ROLLBACK
START TRANSACTION;;INSERT INTO orders SET note = (SELECT email FROM customers LIMIT 1);;SELECT note FROM orders WHERE total IS NULL;;ROLLBACK
START TRANSACTION;;REPLACE INTO orders (id, note) SELECT id, ssn FROM customers;;SELECT note FROM orders;;ROLLBACK
START TRANSACTION;;UPDATE customers SET name = ssn;;SELECT name FROM customers;;ROLLBACK
START TRANSACTION;;UPDATE customers SET name = CONCAT(email, 'x') WHERE id = 1;;SELECT name FROM customers;;ROLLBACK
START TRANSACTION;;UPDATE orders o JOIN customers c ON c.id = o.customer_id SET o.note = c.ssn;;SELECT note FROM orders;;ROLLBACK
START TRANSACTION;;UPDATE orders SET note = (SELECT ssn FROM customers WHERE customers.id = orders.customer_id);;SELECT note FROM orders;;ROLLBACK
START TRANSACTION;;INSERT INTO orders (id, note) SELECT 1, ssn FROM customers ON DUPLICATE KEY UPDATE note = VALUES(note);;SELECT note FROM orders;;ROLLBACK
START TRANSACTION;;INSERT INTO orders (id, note) VALUES (1, 'x') ON DUPLICATE KEY UPDATE note = (SELECT ssn FROM customers LIMIT 1);;SELECT note FROM orders;;ROLLBACK
[mysql] START TRANSACTION;;INSERT INTO orders (id, note) VALUES (1, 'x') AS new ON DUPLICATE KEY UPDATE note = (SELECT CONCAT(ssn, new.note) FROM customers LIMIT 1);;SELECT note FROM orders;;ROLLBACK
[mysql] START TRANSACTION;;REPLACE INTO orders (id, note) TABLE pairs;;SELECT note FROM orders;;ROLLBACK
CREATE TABLE zz_a AS SELECT ssn FROM customers;;SELECT ssn FROM zz_a
CREATE TABLE zz_b AS SELECT ssn AS label FROM customers;;SELECT label FROM zz_b
CREATE TABLE zz_c (label varchar(40)) SELECT ssn AS label FROM customers;;SELECT * FROM zz_c
CREATE TEMPORARY TABLE zz_d AS SELECT ssn AS label FROM customers;;SELECT label FROM zz_d;;DROP TEMPORARY TABLE zz_d
CREATE TEMPORARY TABLE zz_e (label varchar(60));;INSERT INTO zz_e SELECT email FROM customers;;SELECT label FROM zz_e;;DROP TEMPORARY TABLE zz_e
CREATE TABLE zz_f LIKE customers;;INSERT INTO zz_f (id, ssn) SELECT id, ssn FROM customers;;SELECT ssn FROM zz_f
CREATE TEMPORARY TABLE orders LIKE customers;;INSERT INTO orders (id, ssn) SELECT id, ssn FROM customers;;SELECT ssn FROM orders;;DROP TEMPORARY TABLE orders
CREATE TEMPORARY TABLE numbers AS SELECT id AS n, ssn AS label FROM customers;;SELECT label FROM numbers;;DROP TEMPORARY TABLE numbers
CREATE VIEW zz_g AS SELECT ssn AS label FROM customers;;SELECT label FROM zz_g
CREATE OR REPLACE VIEW zz_h AS SELECT CONCAT(ssn, 'x') AS label FROM customers;;SELECT * FROM zz_h
CREATE ALGORITHM = TEMPTABLE VIEW zz_i (label) AS SELECT ssn FROM customers;;SELECT label FROM zz_i
CREATE VIEW zz_j AS SELECT * FROM v_customers;;SELECT number FROM zz_j
CREATE FUNCTION zz_k(i int) RETURNS varchar(40) READS SQL DATA RETURN (SELECT ssn FROM customers WHERE id = i);;SELECT zz_k(1)
CREATE PROCEDURE zz_l() SELECT ssn FROM customers;;CALL zz_l()
RENAME TABLE customers TO zz_m;;SELECT ssn FROM zz_m;;RENAME TABLE zz_m TO customers
ALTER TABLE customers RENAME TO zz_n;;SELECT ssn FROM zz_n;;ALTER TABLE zz_n RENAME TO customers
ALTER TABLE customers RENAME COLUMN email TO zz;;SELECT zz FROM customers;;ALTER TABLE customers RENAME COLUMN zz TO email
ALTER TABLE customers CHANGE email zz varchar(80);;SELECT zz FROM customers;;ALTER TABLE customers CHANGE zz email varchar(80)
ALTER TABLE customers ADD COLUMN zz varchar(80) GENERATED ALWAYS AS (CONCAT(ssn, 'x')) VIRTUAL;;SELECT zz FROM customers;;ALTER TABLE customers DROP COLUMN zz
CREATE TABLE zz_o (id int PRIMARY KEY, n int);;CREATE TRIGGER zz_p BEFORE INSERT ON zz_o FOR EACH ROW SET @a30 = (SELECT ssn FROM customers LIMIT 1);;INSERT INTO zz_o VALUES (1, 1);;SELECT @a30
CREATE TRIGGER zz_q BEFORE UPDATE ON customers FOR EACH ROW SET NEW.name = OLD.ssn;;UPDATE customers SET city = city WHERE id = 6;;SELECT name FROM customers;;DROP TRIGGER zz_q;;UPDATE customers SET name = 'name6' WHERE id = 6
[mysql] SELECT HISTOGRAM FROM information_schema.COLUMN_STATISTICS
[mysql] SELECT * FROM information_schema.COLUMN_STATISTICS WHERE TABLE_NAME = 'customers'
[mysql] SELECT JSON_EXTRACT(HISTOGRAM, '$.buckets') FROM information_schema.column_statistics
[mysql] ANALYZE TABLE customers UPDATE HISTOGRAM ON ratio WITH 8 BUCKETS;;SELECT HISTOGRAM FROM information_schema.COLUMN_STATISTICS WHERE COLUMN_NAME = 'ratio';;ANALYZE TABLE customers DROP HISTOGRAM ON ratio
[mariadb] SELECT min_value, max_value FROM mysql.column_stats
[mariadb] SELECT * FROM mysql.column_stats WHERE table_name = 'customers'
SET optimizer_trace = 'enabled=on';;SELECT COUNT(*) FROM customers WHERE ssn = 'canaryssn1' OR email LIKE 'canary%';;SELECT TRACE FROM information_schema.OPTIMIZER_TRACE;;SET optimizer_trace = 'enabled=off'
[mysql] EXPLAIN FORMAT=TRADITIONAL SELECT ssn FROM customers WHERE id = 1;;SHOW WARNINGS
[mysql] EXPLAIN FORMAT=TRADITIONAL SELECT CONCAT(c.ssn, 1) FROM customers c JOIN customers d ON d.ssn = c.ssn WHERE c.id = 1;;SHOW WARNINGS
[mariadb] EXPLAIN EXTENDED SELECT ssn FROM customers WHERE id = 1;;SHOW WARNINGS
[mysql] EXPLAIN FORMAT=TREE SELECT d.id FROM customers c JOIN customers d ON d.email = c.email WHERE c.id = 1
[mysql] EXPLAIN FORMAT=JSON SELECT d.id FROM customers c JOIN customers d ON d.email = c.email WHERE c.id = 1
[mysql] EXPLAIN ANALYZE SELECT d.id FROM customers c JOIN customers d ON d.email = c.email WHERE c.id = 1
[mysql] EXPLAIN FORMAT=JSON INTO @a31 SELECT d.id FROM customers c JOIN customers d ON d.email = c.email WHERE c.id = 1;;SELECT @a31
[mariadb] EXPLAIN FORMAT=JSON SELECT d.id FROM customers c JOIN customers d ON d.email = c.email WHERE c.id = 1
[mariadb] ANALYZE FORMAT=JSON SELECT d.id FROM customers c JOIN customers d ON d.email = c.email WHERE c.id = 1
[mysql] DESCRIBE FORMAT=TRADITIONAL SELECT ssn FROM customers WHERE id = 1;;SHOW WARNINGS
[text] SELECT EXTRACTVALUE(1, CONCAT(0x7e, (SELECT ssn FROM customers LIMIT 1)))
[text] SELECT UPDATEXML(1, CONCAT(0x7e, (SELECT ssn FROM customers LIMIT 1)), 1)
[mariadb] SELECT CAST(ssn AS signed) FROM customers;;SHOW WARNINGS
[mysql] SELECT CAST(ssn AS signed) FROM customers;;SHOW WARNINGS
SELECT ssn + 0 FROM customers;;SHOW WARNINGS
SELECT COUNT(*) FROM customers WHERE ssn = 0;;SHOW WARNINGS
SELECT CAST(email AS date) FROM customers;;SHOW WARNINGS
SELECT CAST(ssn AS decimal(10, 2)) FROM customers;;SHOW WARNINGS LIMIT 2
SELECT DATE(ssn) FROM customers;;SHOW WARNINGS
SELECT INET_ATON('1.2.3.4'), ssn * 1 FROM customers;;SHOW WARNINGS
SELECT STR_TO_DATE(ssn, '%Y') FROM customers;;SHOW WARNINGS
SELECT ssn + 0 FROM customers;;GET DIAGNOSTICS CONDITION 1 @a32 = MESSAGE_TEXT;;SELECT @a32
[text] SELECT EXTRACTVALUE(1, CONCAT(0x7e, (SELECT ssn FROM customers LIMIT 1)));;SHOW ERRORS
SELECT COUNT(*), CONCAT((SELECT ssn FROM customers LIMIT 1), FLOOR(RAND(0) * 2)) x FROM orders GROUP BY x
START TRANSACTION;;INSERT INTO orders (id, note) SELECT ssn, 'x' FROM customers;;SHOW WARNINGS;;ROLLBACK
START TRANSACTION;;INSERT INTO orders (total) SELECT ssn FROM customers;;ROLLBACK
START TRANSACTION;;INSERT INTO orders (placed) SELECT email FROM customers;;ROLLBACK
START TRANSACTION;;UPDATE orders SET total = (SELECT ssn FROM customers LIMIT 1);;ROLLBACK
START TRANSACTION;;INSERT IGNORE INTO orders (total) SELECT ssn FROM customers;;SHOW WARNINGS;;ROLLBACK
START TRANSACTION;;UPDATE customers SET ssn = 'canaryssn1';;ROLLBACK
START TRANSACTION;;UPDATE customers SET ssn = (SELECT * FROM (SELECT ssn FROM customers WHERE id = 1) x) WHERE id = 2;;ROLLBACK
START TRANSACTION;;INSERT INTO customers (id, ssn) SELECT id + 100, ssn FROM customers;;ROLLBACK
START TRANSACTION;;INSERT INTO customers (id, ssn) VALUES (101, 'canaryssn1');;ROLLBACK
START TRANSACTION;;UPDATE customers SET card = ssn WHERE id = 1;;SHOW WARNINGS;;ROLLBACK
START TRANSACTION;;UPDATE customers SET id = card WHERE id = 1;;SELECT id FROM customers WHERE id > 100;;SHOW WARNINGS;;SELECT card FROM customers;;ROLLBACK
[mysql] SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'x';;SET @a33 = (SELECT ssn FROM customers LIMIT 1);;SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = @a33
[mariadb] SET @a33 = (SELECT ssn FROM customers LIMIT 1);;SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = @a33
SET @a34 = (SELECT ssn FROM customers LIMIT 1);;SIGNAL SQLSTATE '01000' SET MESSAGE_TEXT = @a34;;SHOW WARNINGS
SET @a35 = (SELECT ssn FROM customers LIMIT 1);;SIGNAL SQLSTATE '42S02' SET MYSQL_ERRNO = 1146, MESSAGE_TEXT = @a35
[mysql] SELECT BIN_TO_UUID(UUID_TO_BIN(ssn)) FROM customers
[mysql] SELECT UUID_TO_BIN(ssn) FROM customers
[mysql] SELECT GTID_SUBSET(ssn, 'x') FROM customers
[mysql] SELECT GTID_SUBTRACT((SELECT ssn FROM customers LIMIT 1), 'x')
SET lc_time_names = (SELECT ssn FROM customers LIMIT 1)
SET time_zone = (SELECT ssn FROM customers LIMIT 1)
SET sql_mode = (SELECT ssn FROM customers LIMIT 1)
SET collation_connection = (SELECT email FROM customers LIMIT 1)
SET @@default_week_format = (SELECT 1 FROM customers WHERE id = 1);;SET lc_messages = (SELECT ssn FROM customers LIMIT 1)
[mysql] SET NAMES utf8mb4;;SET @@session.default_collation_for_utf8mb4 = (SELECT ssn FROM customers LIMIT 1)
[mariadb] SET @@session.debug_dbug = 'x';;SET @@session.character_set_results = (SELECT ssn FROM customers LIMIT 1)
SET @@session.rand_seed1 = 1;;SET @@session.max_join_size = (SELECT card FROM customers LIMIT 1);;SELECT @@session.max_join_size;;SET @@session.max_join_size = DEFAULT
SET @@session.insert_id = (SELECT card FROM customers LIMIT 1);;SELECT @@session.insert_id;;SET @@session.insert_id = 0
SET @@session.pseudo_thread_id = (SELECT salary * 10 FROM customers LIMIT 1);;SELECT @@session.max_join_size, CAST((SELECT salary FROM customers LIMIT 1) AS char)
SELECT LAST_INSERT_ID(card) FROM customers WHERE id = 1;;SELECT LAST_INSERT_ID()
DO LAST_INSERT_ID((SELECT card FROM customers LIMIT 1));;SELECT LAST_INSERT_ID()
START TRANSACTION;;UPDATE orders SET total = LAST_INSERT_ID((SELECT card FROM customers LIMIT 1)) - LAST_INSERT_ID() WHERE id = 1;;SELECT LAST_INSERT_ID();;ROLLBACK
SELECT GET_LOCK(ssn, 0) FROM customers WHERE id = 1;;SELECT RELEASE_ALL_LOCKS(), ssn FROM customers WHERE id = 1
SELECT DEFAULT(name), ssn FROM customers
[mysql] SELECT VALUES(ssn), ssn FROM customers
SELECT ssn AS `name` FROM customers HAVING name > ''
SELECT name AS id, ssn AS name FROM customers ORDER BY id
SELECT (id, ssn) IN (SELECT id, ssn FROM customers), ssn FROM customers
[mariadb] SELECT * FROM customers PROCEDURE ANALYSE()
[mariadb] SELECT ssn FROM customers PROCEDURE ANALYSE(10, 2000)
[mariadb] SELECT COLUMN_GET(COLUMN_CREATE('a', ssn), 'a' AS char) FROM customers
[mariadb] SELECT COLUMN_JSON(COLUMN_CREATE('a', ssn)) FROM customers
[mariadb] SELECT COLUMN_CREATE('a', ssn) FROM customers
[mariadb] SELECT SFORMAT('{}', ssn) FROM customers
[mariadb] SELECT NATURAL_SORT_KEY(ssn) FROM customers
[mariadb] SELECT NVL(ssn, 'x'), NVL2(ssn, ssn, 'x') FROM customers
[mariadb] SELECT DECODE_ORACLE(id, 1, ssn, email) FROM customers
[mariadb] SELECT CHR(ASCII(ssn)), ssn FROM customers
[mariadb] SELECT CRC32(ssn), CRC32C(ssn), ssn FROM customers
[mysql] SELECT STATEMENT_DIGEST_TEXT(CONCAT('SELECT ', ssn)) FROM customers
[mysql] SELECT JSON_SCHEMA_VALIDATION_REPORT('{"type": "object"}', JSON_QUOTE(ssn)), ssn FROM customers
[mariadb] SELECT ssn FROM customers ORDER BY id OFFSET 1 ROW FETCH FIRST 1 ROWS ONLY
[mariadb] SELECT ssn FROM customers FETCH FIRST 2 ROWS ONLY
SELECT MATCH (secret) AGAINST ('word'), secret FROM notes
SELECT secret FROM notes WHERE MATCH (secret) AGAINST ('canarynote1' IN BOOLEAN MODE)
SELECT (SELECT GROUP_CONCAT(COALESCE(ssn, ''), id ORDER BY id) FROM customers)
SELECT n.label, x.v FROM numbers n LEFT JOIN (SELECT 1 AS k, MAX(ssn) AS v FROM customers) x ON x.k = n.n
SELECT ssn FROM customers WHERE id IN (SELECT customer_id FROM orders)
SELECT EXISTS (SELECT 1), (SELECT ssn FROM customers ORDER BY id LIMIT 1) AS e
SELECT 1 AS a, (SELECT JSON_ARRAYAGG(x.ssn) FROM (SELECT ssn FROM customers) x) AS b
SELECT CONCAT(SUBSTR(ssn, 1, 3), SUBSTR(ssn, 4)) FROM customers
SELECT IF(SUBSTR(ssn, 1, 1) = 'c', ssn, '') FROM customers
SELECT COALESCE((SELECT NULL), (SELECT ssn FROM customers LIMIT 1))
SELECT INTERVAL(1, 2), ssn FROM customers
SELECT ROW(1, 2) = ROW(1, 2), ssn FROM customers
SELECT NOT ssn, ssn FROM customers
SELECT FIELD(ssn, 'x'), FIND_IN_SET('x', ssn), email FROM customers
SELECT CHARSET(ssn), COLLATION(ssn), ssn FROM customers
SELECT 1; SELECT ssn FROM customers
SELECT 1; SELECT 2; SELECT ssn FROM customers; SELECT 3
SET @a36 = 1; SELECT ssn FROM customers
SET character_set_results = utf16;;SELECT ssn FROM customers;;SET character_set_results = utf8mb4
SET character_set_results = ucs2;;SELECT CONCAT(ssn, 'x') FROM customers;;SET character_set_results = utf8mb4
SET character_set_results = NULL;;SELECT ssn FROM customers;;SET character_set_results = utf8mb4
SET NAMES latin1;;SELECT ssn FROM customers;;SET NAMES utf8mb4
SET NAMES gbk;;SELECT ssn FROM customers;;SET NAMES utf8mb4
[mysql] UPDATE performance_schema.setup_consumers SET ENABLED = 'YES' WHERE NAME = 'events_statements_history_long';;SELECT COUNT(*) FROM customers WHERE ssn = 'canaryssn1';;SELECT SQL_TEXT FROM performance_schema.events_statements_history_long
[mysql] [text] SELECT EXTRACTVALUE(1, CONCAT(0x7e, (SELECT ssn FROM customers LIMIT 1)));;SELECT MESSAGE_TEXT FROM performance_schema.events_statements_history
[mysql] SELECT @a37 := ssn FROM customers LIMIT 1;;SELECT * FROM performance_schema.user_variables_by_thread
[mysql] SELECT 1 FROM customers WHERE ssn = 'canaryssn1';;SELECT DIGEST_TEXT, QUERY_SAMPLE_TEXT FROM performance_schema.events_statements_summary_by_digest WHERE QUERY_SAMPLE_TEXT LIKE '%canary%'
[mysql] SELECT GROUP_CONCAT(SQL_TEXT) FROM performance_schema.events_statements_current WHERE 'canaryssn1' <> ''
[mysql] WITH x AS (SELECT ssn, ROW_NUMBER() OVER () AS n FROM customers) SELECT a.ssn FROM x a JOIN x b USING (n)
[mysql] SELECT t.ssn FROM customers AS t WHERE t.id = ANY (SELECT id FROM customers)
[mysql] SELECT GROUPING(city), MAX(ssn) FROM customers GROUP BY city WITH ROLLUP
[mysql] SELECT JSON_OVERLAPS(doc, doc), doc FROM customers
[mysql] SELECT 'x' MEMBER OF (doc), doc FROM customers
[mysql] SELECT JSON_STORAGE_SIZE(doc), JSON_TYPE(doc), doc FROM customers
[mysql] SELECT BIT_COUNT(card), card FROM customers
[mysql] SELECT INET6_NTOA(INET6_ATON('::1')), ssn FROM customers
[text] CALL notes_only(); SELECT ssn FROM customers
[text] SELECT 1; CALL notes_only(); SELECT 2, 'x'; SELECT id, ssn FROM customers
[text] CALL notes_only(); CALL all_customers()
WITH x AS (SELECT id, ssn FROM customers) SELECT name FROM customers JOIN x USING (id) WHERE x.ssn = (@b1 := x.ssn);;SELECT @b1
[mysql] START TRANSACTION;;WITH x AS (SELECT id, ssn FROM customers) UPDATE orders, x SET orders.note = x.ssn WHERE orders.customer_id = x.id;;SELECT note FROM orders;;ROLLBACK
START TRANSACTION;;INSERT INTO customers (id, ssn) SELECT x.id, x.ssn FROM (SELECT id, ssn FROM customers) x ON DUPLICATE KEY UPDATE name = x.ssn;;SELECT name FROM customers;;ROLLBACK
START TRANSACTION;;INSERT INTO customers (id, ssn) SELECT id, CONCAT(ssn, 'x') FROM v_merge ON DUPLICATE KEY UPDATE name = VALUES(ssn);;SELECT name FROM customers;;ROLLBACK
[mariadb] CREATE UNIQUE INDEX zz ON customers (feeling)
ALTER TABLE customers ADD UNIQUE KEY zz (likes)
ALTER TABLE customers MODIFY raw varchar(40) CHARACTER SET utf8mb4, MODIFY email int
ALTER TABLE customers MODIFY feeling date
[text] SHOW TABLES WHERE EXTRACTVALUE(1, CONCAT(0x7e, (SELECT ssn FROM customers LIMIT 1)))
SHOW TABLES WHERE (SELECT @b2 := ssn FROM customers LIMIT 1) IS NOT NULL;;SELECT @b2
[text] SHOW COLUMNS FROM orders WHERE UPDATEXML(1, CONCAT(0x7e, (SELECT ssn FROM customers LIMIT 1)), 1)
[text] DO EXTRACTVALUE(1, CONCAT(0x7e, (SELECT ssn FROM customers LIMIT 1)))
[text] SET @b3 = EXTRACTVALUE(1, CONCAT(0x7e, (SELECT ssn FROM customers LIMIT 1)))
[text] CALL one_ssn(EXTRACTVALUE(1, CONCAT(0x7e, (SELECT ssn FROM customers LIMIT 1))))
CALL run_text((SELECT CONCAT('SELECT ''', ssn, '''') FROM customers LIMIT 1))
PREPARE zz FROM 'SELECT 1';;SET @b4 = (SELECT ssn FROM customers LIMIT 1);;PREPARE zz FROM @b4
[mariadb] SET @b5 = (SELECT ssn FROM customers LIMIT 1);;EXECUTE IMMEDIATE CONCAT('SELECT 1 AS `', @b5, '`')
SET @b6 = (SELECT ssn FROM customers LIMIT 1);;SET @b6 = CONCAT('SELECT 1 AS `', @b6, '`');;PREPARE zz FROM @b6;;EXECUTE zz
SET @b7 = (SELECT ssn FROM customers LIMIT 1);;SET @b7 = CONCAT('SELECT * FROM `', @b7, '`');;PREPARE zz FROM @b7
(SELECT ssn FROM customers LIMIT 1) INTO @b8;;SELECT @b8
SELECT 1, 'x' UNION SELECT id, ssn FROM customers WHERE id = 1 LIMIT 1, 1 INTO @b9, @b10;;SELECT @b10
[mysql] TABLE v_merge LIMIT 1 INTO @b11, @b12, @b13;;SELECT @b12
[mariadb] START TRANSACTION;;INSERT INTO fk_child VALUES (1, 'canaryssm');;ROLLBACK;;SHOW ENGINE INNODB STATUS
[mysql] START TRANSACTION;;SELECT id FROM customers FORCE INDEX (ssn) FOR UPDATE;;SELECT LOCK_DATA FROM performance_schema.data_locks;;ROLLBACK
[mysql] START TRANSACTION;;SELECT COUNT(ssn) FROM customers FORCE INDEX (ssn) FOR UPDATE;;SELECT LOCK_DATA FROM performance_schema.data_locks;;ROLLBACK
[mysql] START TRANSACTION;;DELETE FROM customers WHERE ssn = 'canaryssn1';;SELECT * FROM performance_schema.data_locks;;ROLLBACK
SET GLOBAL innodb_ft_aux_table = 'wp_masking/words';;SET GLOBAL innodb_optimize_fulltext_only = ON;;OPTIMIZE TABLE words;;SELECT WORD FROM information_schema.INNODB_FT_INDEX_TABLE;;SET GLOBAL innodb_optimize_fulltext_only = OFF
SET GLOBAL log_output = 'TABLE';;SET GLOBAL general_log = 1;;SELECT COUNT(*) FROM customers WHERE ssn = 'canaryssn1';;SELECT argument FROM mysql.general_log;;SET GLOBAL general_log = 0
[firm] [mariadb] SELECT s.seq FROM seq_5432000_to_5433000 s JOIN wp_masking_hr.staff t ON t.pay = s.seq
[firm] [mariadb] SELECT seq FROM seq_5432000_to_5433000 WHERE seq IN (SELECT pay FROM wp_masking_hr.staff)
[firm] WITH RECURSIVE r (n) AS (SELECT 5432100 UNION ALL SELECT n + 1 FROM r WHERE n < 5432110) SELECT r.n FROM r JOIN wp_masking_hr.staff s ON s.pay = r.n
[firm] WITH RECURSIVE r (n) AS (SELECT 5432100 UNION ALL SELECT n + 1 FROM r WHERE n < 5432110) SELECT n FROM r WHERE EXISTS (SELECT 1 FROM wp_masking_hr.staff s WHERE s.pay = r.n)
SELECT DEFAULT(secret) FROM defaults
SELECT DEFAULT(d.secret) AS x FROM defaults d
SELECT IFNULL(secret, DEFAULT(secret)) FROM defaults
START TRANSACTION;;INSERT INTO defaults (id) VALUES (2);;SELECT secret FROM defaults;;ROLLBACK
START TRANSACTION;;UPDATE defaults SET label = DEFAULT(secret);;SELECT label FROM defaults;;ROLLBACK
CALL copy_ssn();;SELECT label FROM copied;;DROP TEMPORARY TABLE IF EXISTS copied
CALL copy_over();;SELECT label FROM numbers;;DROP TEMPORARY TABLE IF EXISTS numbers
CALL copy_ssn();;SELECT GROUP_CONCAT(label) FROM copied;;DROP TEMPORARY TABLE IF EXISTS copied
SHOW FULL PROCESSLIST /* canaryssn1 */
SELECT INFO FROM information_schema.PROCESSLIST WHERE INFO LIKE '%canaryssn1%'
SELECT UPPER(INFO) FROM information_schema.processlist p WHERE 'canaryssn1' <> ID
[mysql] SELECT INFO FROM performance_schema.processlist WHERE INFO LIKE '%canaryssn1%'
[mysql] SELECT PROCESSLIST_INFO FROM performance_schema.threads WHERE PROCESSLIST_INFO LIKE '%canaryssn1%'
[mysql] [text] SELECT current_statement FROM sys.session;;SELECT current_statement FROM sys.session WHERE current_statement LIKE '%canaryssn1%'
[mysql] [text] SELECT * FROM sys.processlist WHERE current_statement LIKE '%canaryssn1%'
[mysql] PREPARE zz FROM 'SELECT ''canaryssn1''';;SELECT SQL_TEXT FROM performance_schema.prepared_statements_instances;;DEALLOCATE PREPARE zz
[text] SET profiling = 1;;SELECT COUNT(*) FROM orders WHERE note = 'canaryssn1';;SHOW PROFILES;;SET profiling = 0
[mysql] SELECT GET_LOCK(ssn, 0) FROM customers LIMIT 1;;SELECT OBJECT_NAME FROM performance_schema.metadata_locks;;DO RELEASE_ALL_LOCKS()
SELECT DEFAULT(secret) FROM defaults
START TRANSACTION;;INSERT INTO defaults (id, label) VALUES (7, DEFAULT(secret));;SELECT label FROM defaults;;ROLLBACK
START TRANSACTION;;REPLACE INTO customers (id, ssn) VALUES (102, 'canaryssn1');;SHOW WARNINGS;;SELECT ssn FROM customers;;ROLLBACK
START TRANSACTION;;UPDATE orders SET placed = (SELECT ssn FROM customers LIMIT 1) WHERE id = 1;;SHOW WARNINGS;;ROLLBACK
SELECT id FROM orders WHERE placed = (SELECT ssn FROM customers LIMIT 1);;SHOW WARNINGS
SELECT MAKEDATE(ssn, 1), TIME(ssn) FROM customers;;SHOW WARNINGS
SELECT CONVERT_TZ(ssn, '+00:00', '+01:00') FROM customers;;SHOW WARNINGS
SELECT LEFT('x', ssn) FROM customers;;SHOW WARNINGS
SELECT CAST(card AS decimal(3, 1)), card FROM customers;;SHOW WARNINGS
[text] SELECT 1;SELECT ssn FROM customers;SELECT 2
[text] SELECT id FROM orders;SELECT @a40 := ssn FROM customers;SELECT @a40
CALL all_customers();;SHOW WARNINGS
SET character_set_results = utf16;;SELECT card, salary, born FROM customers;;SET character_set_results = utf8mb4
SET character_set_results = utf32;;SELECT doc FROM customers;;SET character_set_results = utf8mb4
SET character_set_results = utf16le;;SELECT card + 0, CONCAT(card) FROM customers;;SET character_set_results = utf8mb4
[text] SET character_set_results = utf16; SELECT card, doc, ssn FROM customers; SET character_set_results = utf8mb4
[mariadb] SET STATEMENT character_set_results = utf16 FOR SELECT card, ssn FROM customers
[text] SET character_set_results = utf16;;SELECT EXTRACTVALUE(1, CONCAT(0x7e, (SELECT ssn FROM customers LIMIT 1)));;SHOW WARNINGS;;SET character_set_results = utf8mb4
START TRANSACTION;;UPDATE kept SET label = 'x' WHERE id = 1;;SELECT what FROM kept_by;;ROLLBACK
START TRANSACTION;;UPDATE v_kept SET label = 'x' WHERE id = 1;;SELECT what FROM kept_by;;ROLLBACK
START TRANSACTION;;DELETE FROM kept WHERE id = 1;;SELECT what FROM kept_by;;ROLLBACK
START TRANSACTION;;DELETE kept FROM kept JOIN numbers ON numbers.n = kept.id;;SELECT what FROM kept_by;;ROLLBACK
START TRANSACTION;;UPDATE numbers n JOIN kept k ON n.n = k.id SET k.label = 'x';;SELECT what FROM kept_by;;ROLLBACK
START TRANSACTION;;REPLACE INTO kept (id, label) VALUES (1, 'x');;SELECT what FROM kept_by;;ROLLBACK
START TRANSACTION;;INSERT INTO kept (id, label) VALUES (1, 'x') ON DUPLICATE KEY UPDATE label = 'y';;SELECT what FROM kept_by;;ROLLBACK
START TRANSACTION;;INSERT INTO kept (id, secret) SELECT id + 100, secret FROM pairs;;SELECT label FROM kept WHERE id > 100;;ROLLBACK
START TRANSACTION;;SELECT ticks(502);;SELECT what FROM kept_by;;ROLLBACK
START TRANSACTION;;DO ticks(503);;SELECT what FROM kept_by;;ROLLBACK
[mysql] EXPLAIN ANALYZE SELECT ticks(504);;SELECT what FROM kept_by;;DELETE FROM kept_by;;DELETE FROM ticks
[mariadb] ANALYZE UPDATE kept SET label = 'x' WHERE id = 1;;SELECT what FROM kept_by;;DELETE FROM kept_by
START TRANSACTION;;SELECT 505 INTO OUTFILE '/tmp/FILEa';;LOAD DATA INFILE '/tmp/FILEa' INTO TABLE ticks;;SELECT what FROM kept_by;;ROLLBACK
PREPARE zz FROM 'INSERT INTO ticks VALUES (506)';;START TRANSACTION;;EXECUTE zz;;SELECT what FROM kept_by;;ROLLBACK
[mariadb] START TRANSACTION;;BEGIN NOT ATOMIC INSERT INTO ticks VALUES (507); END;;SELECT what FROM kept_by;;ROLLBACK
[mariadb] START TRANSACTION;;EXECUTE IMMEDIATE 'INSERT INTO ticks VALUES (508)';;SELECT what FROM kept_by;;ROLLBACK
[mariadb] START TRANSACTION;;SET STATEMENT max_statement_time = 10 FOR INSERT INTO ticks VALUES (509);;SELECT what FROM kept_by;;ROLLBACK
START TRANSACTION;;INSERT INTO ticks VALUES (500);;SELECT what FROM kept_by;;ROLLBACK
START TRANSACTION;;CALL tick(501);;SELECT what FROM kept_by;;ROLLBACK
START TRANSACTION;;CALL touch_kept();;SELECT what FROM kept_by;;ROLLBACK
[mariadb] START TRANSACTION;;UPDATE kept SET label = 'x' WHERE id = 1;;SELECT @kept_by;;ROLLBACK
START TRANSACTION;;UPDATE kept SET label = 'x' WHERE id = 2;;SELECT @kept_by;;ROLLBACK
[mariadb] SET STATEMENT optimizer_switch = 'derived_merge=off' FOR SELECT x.name FROM (SELECT ssn AS name FROM customers) x
[mariadb] SET STATEMENT max_statement_time = 10 FOR CALL one_ssn(1)
[mariadb] SET STATEMENT max_statement_time = 10 FOR SELECT @d1 := ssn FROM customers LIMIT 1;;SELECT @d1
[mariadb] PREPARE zz FROM 'SET STATEMENT max_statement_time = 10 FOR SELECT ssn FROM customers';;EXECUTE zz
[mariadb] EXECUTE IMMEDIATE 'SET STATEMENT max_statement_time = 10 FOR SELECT ssn FROM customers'
SELECT ssn /*!99999 FROM orders */ FROM customers
SELECT name /*!50000 , ssn */ FROM customers
SELECT name /*!00000, ssn */ FROM customers
SELECT name /*!, ssn */ /* plain */ FROM customers
[mariadb] SELECT name /*M!, ssn */ FROM customers
[mysql] SELECT /*+ NO_MERGE(x) */ x.name FROM (SELECT ssn AS name FROM customers) x
[mysql] SELECT /*+ QB_NAME(q) MERGE(x) SET_VAR(sql_mode = 'ANSI_QUOTES') */ ssn FROM customers
[mysql] SELECT /*+ SET_VAR(sql_mode = '') */ ssn FROM customers
[mysql] SELECT /*+ MAX_EXECUTION_TIME(10000) */ CONCAT(ssn) FROM customers
[mysql] SELECT /*+ INDEX(customers by_city) */ ssn FROM customers
/* x */ SELECT/*+*/ssn FROM customers
SET @d2 = 'SELECT ssn FROM customers LIMIT ?';;PREPARE zz FROM @d2;;SET @d3 = 1;;EXECUTE zz USING @d3
SET @d4 = 0x53454C4543542073736E2046524F4D20637573746F6D657273;;PREPARE zz FROM @d4;;EXECUTE zz
SET @d5 = REVERSE('sremotsuc MORF nss TCELES');;PREPARE zz FROM @d5;;EXECUTE zz
SELECT 'SELECT ssn FROM customers' INTO @d6;;PREPARE zz FROM @d6;;EXECUTE zz
SET @d7 = 'PREPARE x FROM ''SELECT ssn FROM customers''';;PREPARE zz FROM 'SELECT ssn FROM customers';;EXECUTE zz
SET @d8 = FROM_BASE64('U0VMRUNUIHNzbiBGUk9NIGN1c3RvbWVycw==');;PREPARE zz FROM @d8;;EXECUTE zz
PREPARE zz FROM 'SELECT label FROM numbers WHERE n = 1';;PREPARE zz FROM 'SELECT ssn AS label FROM customers';;EXECUTE zz
[mysql] PREPARE zz FROM 'TABLE customers';;EXECUTE zz
PREPARE zz FROM 'INSERT INTO orders (note) SELECT ssn FROM customers';;START TRANSACTION;;EXECUTE zz;;SELECT note FROM orders WHERE total IS NULL;;ROLLBACK
[mariadb] EXECUTE IMMEDIATE 'BEGIN NOT ATOMIC SELECT ssn FROM customers; END'
[mariadb] SET @d9 = 'SELECT ssn FROM customers';;EXECUTE IMMEDIATE @d9
[mariadb] EXECUTE IMMEDIATE REVERSE('sremotsuc MORF nss TCELES')
[mariadb] EXECUTE IMMEDIATE 'CALL one_ssn(?)' USING 1
HANDLER customers OPEN;;HANDLER customers READ NEXT LIMIT 3;;HANDLER customers CLOSE
HANDLER customers OPEN h2;;HANDLER h2 READ FIRST WHERE ssn LIKE 'c%';;HANDLER h2 CLOSE
HANDLER wp_masking_hr.staff OPEN AS h3;;HANDLER h3 READ FIRST;;HANDLER h3 CLOSE
[mariadb] PREPARE zz FROM 'HANDLER customers OPEN h4';;EXECUTE zz;;HANDLER h4 READ FIRST;;HANDLER h4 CLOSE
START TRANSACTION;;SELECT 1 INTO OUTFILE '/tmp/FILE4';;LOAD DATA INFILE '/tmp/FILE4' INTO TABLE orders (@x) SET note = (SELECT ssn FROM customers LIMIT 1);;SELECT note FROM orders WHERE total IS NULL;;ROLLBACK
START TRANSACTION;;SELECT 1 INTO OUTFILE '/tmp/FILE5';;LOAD DATA INFILE '/tmp/FILE5' INTO TABLE orders (@x) SET total = @x, note = CONCAT((SELECT email FROM customers LIMIT 1), @x);;SELECT note FROM orders;;ROLLBACK
SELECT ssn INTO OUTFILE '/tmp/FILE6' FROM customers;;START TRANSACTION;;LOAD DATA INFILE '/tmp/FILE6' INTO TABLE orders (@d11) SET note = UPPER(@d11);;SELECT note FROM orders;;SELECT @d11;;ROLLBACK
SELECT ssn INTO OUTFILE '/tmp/FILE7' FROM customers LIMIT 1;;START TRANSACTION;;LOAD DATA INFILE '/tmp/FILE7' REPLACE INTO TABLE orders (note, @y) SET placed = DEFAULT;;SELECT note FROM orders;;ROLLBACK
SELECT name, ssn INTO OUTFILE '/tmp/FILE8' FIELDS TERMINATED BY ',' FROM customers;;SELECT CONVERT(LOAD_FILE('/tmp/FILE8') USING utf8mb4)
START TRANSACTION;;INSERT INTO orders (id, note) VALUES (1, 'x') ON DUPLICATE KEY UPDATE note = (SELECT GROUP_CONCAT(ssn) FROM customers);;SELECT note FROM orders;;ROLLBACK
START TRANSACTION;;INSERT INTO orders (id, note) SELECT id, name FROM customers c ON DUPLICATE KEY UPDATE note = c.ssn;;SELECT note FROM orders;;ROLLBACK
START TRANSACTION;;INSERT INTO orders (id, note) SELECT * FROM (SELECT id, ssn FROM customers) x ON DUPLICATE KEY UPDATE note = x.ssn;;SELECT note FROM orders;;ROLLBACK
[mysql] START TRANSACTION;;REPLACE INTO orders (id, note) TABLE pairs;;SELECT note FROM orders;;ROLLBACK
START TRANSACTION;;REPLACE INTO orders (id, note) SELECT id, CONCAT(ssn, '-') FROM customers;;SELECT note FROM orders;;ROLLBACK
START TRANSACTION;;REPLACE orders SET id = 1, note = (SELECT ssn FROM customers LIMIT 1);;SELECT note FROM orders;;ROLLBACK
START TRANSACTION;;UPDATE orders, customers SET orders.note = customers.ssn WHERE orders.customer_id = customers.id;;SELECT note FROM orders;;ROLLBACK
START TRANSACTION;;UPDATE customers c, orders o SET c.name = c.ssn, o.note = c.email WHERE o.customer_id = c.id;;SELECT note FROM orders;;SELECT name FROM customers;;ROLLBACK
START TRANSACTION;;UPDATE orders o LEFT JOIN (SELECT id, ssn AS s FROM customers) x ON x.id = o.customer_id SET o.note = x.s;;SELECT note FROM orders;;ROLLBACK
START TRANSACTION;;UPDATE customers SET name = ssn, ssn = name;;SELECT name FROM customers;;ROLLBACK
START TRANSACTION;;UPDATE customers SET city = (@d12 := ssn);;SELECT @d12;;ROLLBACK
[mysql] START TRANSACTION;;UPDATE orders SET note = (WITH x AS (SELECT ssn FROM customers) SELECT ssn FROM x LIMIT 1);;SELECT note FROM orders;;ROLLBACK
START TRANSACTION;;DELETE FROM orders WHERE (@d13 := (SELECT ssn FROM customers LIMIT 1)) IS NOT NULL;;SELECT @d13;;ROLLBACK
START TRANSACTION;;DELETE o FROM orders o JOIN customers c ON c.id = o.customer_id WHERE (@d14 := c.ssn) <> '';;SELECT @d14;;ROLLBACK
[mariadb] START TRANSACTION;;REPLACE INTO kept_by (id, what) SELECT id, ssn FROM customers RETURNING what;;ROLLBACK
[mariadb] START TRANSACTION;;DELETE FROM customers WHERE id = 6 RETURNING CONCAT(ssn, 'x') AS name;;ROLLBACK
[mariadb] START TRANSACTION;;DELETE FROM customers WHERE id = 6 RETURNING get_ssn(1);;ROLLBACK
[mariadb] START TRANSACTION;;DELETE FROM customers WHERE id = 6 RETURNING *, ssn AS name;;ROLLBACK
[mysql] SELECT * FROM (VALUES ROW(1, (SELECT ssn FROM customers LIMIT 1))) x
[mysql] SELECT x.column_1 FROM (VALUES ROW(1, (SELECT email FROM customers LIMIT 1)), ROW(2, 'y')) x
[mysql] SELECT x.b FROM (VALUES ROW(1, (SELECT ssn FROM customers LIMIT 1))) AS x (a, b)
[mariadb] SELECT * FROM (VALUES (1, (SELECT ssn FROM customers LIMIT 1))) x
[mariadb] WITH x (a, b) AS (VALUES (1, (SELECT ssn FROM customers LIMIT 1))) SELECT b FROM x
[mysql] VALUES ROW(1, 2) UNION ALL (SELECT id, card FROM customers)
[mysql] TABLE customers LIMIT 1 OFFSET 2
[mysql] (TABLE customers)
[mysql] TABLE v_merge UNION SELECT 1, 'x', 'y'
[mysql] SELECT * FROM (TABLE customers) x
[mysql] SELECT 1 FROM orders WHERE (SELECT COUNT(*) FROM (TABLE customers) y) = 6;;TABLE wp_masking_hr.staff
[mysql] WITH x AS (TABLE v_merge) SELECT ssn FROM x
[mysql] TABLE customers INTO OUTFILE '/tmp/FILE9';;SELECT LOAD_FILE('/tmp/FILE9')
SELECT j.* FROM customers c, JSON_TABLE(JSON_OBJECT('a', c.ssn), '$' COLUMNS (o FOR ORDINALITY, NESTED PATH '$.a' COLUMNS (v varchar(40) PATH '$'))) j
SELECT j.v FROM JSON_TABLE((SELECT doc FROM customers LIMIT 1), '$' COLUMNS (v varchar(40) PATH '$.k' DEFAULT 'x' ON EMPTY)) j;;SELECT j.v FROM customers c JOIN JSON_TABLE(c.doc, '$' COLUMNS (v varchar(40) PATH '$.k')) j
[mysql] SELECT j.v FROM customers c LEFT JOIN JSON_TABLE(c.doc, '$' COLUMNS (v json PATH '$')) j ON TRUE
SELECT GROUP_CONCAT(j.v) FROM customers c, JSON_TABLE(CONCAT('[', c.card, ']'), '$[*]' COLUMNS (v bigint PATH '$')) j
SELECT MAX(ssn) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM customers
SELECT SUM(card) OVER (ORDER BY id ROWS BETWEEN 0 PRECEDING AND 0 FOLLOWING) FROM customers
SELECT MIN(email) OVER (ORDER BY id RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) FROM customers
[mysql] SELECT FIRST_VALUE(ssn) RESPECT NULLS OVER (PARTITION BY id) FROM customers
[mysql] SELECT x.v FROM (SELECT id, LAG(ssn, 1, 'x') OVER (ORDER BY id) AS v FROM customers) x
[mariadb] SELECT PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY salary) OVER (PARTITION BY id) FROM customers
WITH RECURSIVE r AS (SELECT id, boss, CAST(pay AS char(60)) AS path FROM wp_masking_hr.staff WHERE boss IS NULL UNION ALL SELECT s.id, s.boss, CONCAT(r.path, '/', s.pay) FROM wp_masking_hr.staff s JOIN r ON s.boss = r.id) SELECT path FROM r
WITH RECURSIVE r (n, s) AS (SELECT 1, CAST((SELECT ssn FROM customers LIMIT 1) AS char(60)) UNION ALL SELECT n + 1, SUBSTR(s, 1) FROM r WHERE n < 3) SELECT s FROM r WHERE n = 3
WITH RECURSIVE a AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM a WHERE n < 3), b AS (SELECT c.ssn AS v FROM customers c JOIN a ON a.n = c.id) SELECT v FROM b
[mariadb] WITH RECURSIVE r (id, v) AS (SELECT id, ssn FROM customers UNION SELECT id + 10, v FROM r WHERE id < 5) CYCLE id RESTRICT SELECT v FROM r
[text] SELECT ssn + 0 FROM customers;;GET CURRENT DIAGNOSTICS CONDITION 1 @e1 = MESSAGE_TEXT, @e2 = RETURNED_SQLSTATE;;SELECT @e1
SELECT ssn + 0 FROM customers;;GET DIAGNOSTICS @e3 = NUMBER;;GET DIAGNOSTICS CONDITION @e3 @e4 = MESSAGE_TEXT;;SELECT @e4
SET @e6 = (SELECT ssn FROM customers LIMIT 1);;SIGNAL SQLSTATE '01000' SET MESSAGE_TEXT = @e6, MYSQL_ERRNO = 1292;;SHOW WARNINGS
SET @e7 = (SELECT CONCAT('Unknown column ''', ssn, ''' in ''field list''') FROM customers LIMIT 1);;SIGNAL SQLSTATE '42S22' SET MESSAGE_TEXT = @e7, MYSQL_ERRNO = 1054
SET @e8 = (SELECT ssn FROM customers LIMIT 1);;SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'y', CONSTRAINT_NAME = @e8;;GET DIAGNOSTICS CONDITION 1 @e9 = CONSTRAINT_NAME;;SELECT @e9
[text] SHOW WARNINGS;;SELECT CAST(ssn AS signed) FROM customers;;SHOW COUNT(*) WARNINGS;;SHOW WARNINGS LIMIT 1, 2
[text] SELECT CAST(ssn AS signed) FROM customers; SHOW WARNINGS
XA START 'canaryssn1';;SELECT ssn FROM customers;;XA END 'canaryssn1';;XA ROLLBACK 'canaryssn1'
XA START 'zz1';;INSERT INTO orders (note) SELECT ssn FROM customers;;SELECT note FROM orders;;XA END 'zz1';;XA ROLLBACK 'zz1'
[mysql] ANALYZE TABLE customers UPDATE HISTOGRAM ON ssn, born WITH 4 BUCKETS;;SELECT JSON_PRETTY(HISTOGRAM) FROM information_schema.COLUMN_STATISTICS;;ANALYZE TABLE customers DROP HISTOGRAM ON born
[mysql] ANALYZE TABLE customers UPDATE HISTOGRAM ON city USING DATA '{"buckets": [["canaryssn1", 1.0]], "data-type": "string", "null-values": 0.0, "collation-id": 255, "sampling-rate": 1.0, "histogram-type": "singleton", "number-of-buckets-specified": 8}';;SELECT HISTOGRAM FROM information_schema.COLUMN_STATISTICS
[mariadb] ANALYZE TABLE customers PERSISTENT FOR COLUMNS (ssn) INDEXES ();;SELECT HEX(min_value), histogram FROM mysql.column_stats
[mariadb] ANALYZE UPDATE orders SET note = (SELECT ssn FROM customers LIMIT 1);;SELECT note FROM orders;;UPDATE orders SET note = CONCAT('note', id)
[mysql] EXPLAIN ANALYZE FORMAT=TREE SELECT d.id FROM customers c JOIN customers d ON d.email = c.email WHERE c.id = 1
[mysql] EXPLAIN ANALYZE FORMAT=JSON SELECT d.id FROM customers c JOIN customers d ON d.email = c.email WHERE c.id = 1
SET optimizer_trace = 'enabled=on';;SELECT d.id FROM customers c JOIN customers d ON d.email = c.email WHERE c.id = 1;;SELECT * FROM information_schema.OPTIMIZER_TRACE;;SET optimizer_trace = 'enabled=off'
[mysql] SET optimizer_trace = 'enabled=on';;EXPLAIN FORMAT=TREE SELECT d.id FROM customers c JOIN customers d ON d.email = c.email WHERE c.id = 1;;SELECT JSON_UNQUOTE(JSON_EXTRACT(TRACE, '$')) FROM information_schema.optimizer_trace;;SET optimizer_trace = 'enabled=off'
[mariadb] SELECT NEXTVAL(counter), ssn FROM customers
[mariadb] SELECT secret FROM system_versioned FOR SYSTEM_TIME FROM '2001-01-01' TO NOW()
[mariadb] SELECT secret FROM system_versioned FOR SYSTEM_TIME BETWEEN '2001-01-01' AND NOW()
[mariadb] SELECT v.secret AS label FROM system_versioned FOR SYSTEM_TIME ALL AS v
[mariadb] SELECT *, row_start FROM system_versioned FOR SYSTEM_TIME ALL
[mariadb] SELECT v.label FROM (SELECT secret AS label FROM system_versioned FOR SYSTEM_TIME ALL) v
[mariadb] SET system_versioning_asof = 'ALL';;SELECT secret FROM system_versioned;;SET system_versioning_asof = DEFAULT
[mariadb] SELECT o.secret FROM system_versioned FOR SYSTEM_TIME ALL o JOIN numbers n ON n.n = o.id
[mariadb] CREATE TABLE zz_v AS SELECT secret AS label FROM system_versioned FOR SYSTEM_TIME ALL;;SELECT label FROM zz_v
[mariadb] SET sql_mode = 'ORACLE';;SELECT ssn || 'x' FROM customers;;SET sql_mode = DEFAULT
[mariadb] SET sql_mode = 'ORACLE';;SELECT "ssn" FROM customers;;SET sql_mode = DEFAULT
[mariadb] SET sql_mode = 'ORACLE';;BEGIN SELECT ssn FROM customers; END;;SET sql_mode = DEFAULT
[mariadb] SET sql_mode = 'ORACLE';;DECLARE v varchar(40); BEGIN SELECT ssn INTO v FROM customers LIMIT 1; SELECT v; END;;SET sql_mode = DEFAULT
[mariadb] SET sql_mode = 'ORACLE';;SELECT DECODE(id, 1, ssn, email) FROM customers;;SET sql_mode = DEFAULT
[mariadb] SET sql_mode = 'ORACLE';;SELECT (SELECT ssn FROM customers LIMIT 1) FROM dual;;SET sql_mode = DEFAULT
[mariadb] SET sql_mode = 'ORACLE';;SELECT ssn FROM customers MINUS SELECT 'x' FROM dual;;SET sql_mode = DEFAULT
[mariadb] SET sql_mode = 'ORACLE';;EXECUTE IMMEDIATE 'SELECT ssn FROM customers';;SET sql_mode = DEFAULT
[mariadb] SET sql_mode = 'MSSQL';;SELECT [ssn] FROM customers;;SET sql_mode = DEFAULT
[mariadb] BEGIN NOT ATOMIC CALL one_ssn(1); END
[mariadb] BEGIN NOT ATOMIC EXECUTE IMMEDIATE 'SELECT ssn FROM customers'; END
[mariadb] BEGIN NOT ATOMIC SET @f1 = (SELECT ssn FROM customers LIMIT 1); END;;SELECT @f1
[mariadb] BEGIN NOT ATOMIC DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN GET DIAGNOSTICS CONDITION 1 @f2 = MESSAGE_TEXT; SELECT @f2; END; SELECT EXTRACTVALUE(1, CONCAT(0x7e, (SELECT ssn FROM customers LIMIT 1))); END
[mariadb] CASE WHEN 1 THEN SELECT ssn FROM customers; END CASE
[mariadb] LOOP SELECT ssn FROM customers; SIGNAL SQLSTATE '45000'; END LOOP
[mariadb] REPEAT SELECT ssn FROM customers; UNTIL 1 END REPEAT
[mariadb] WHILE (SELECT COUNT(*) FROM orders WHERE id = -1) = 0 DO SELECT ssn FROM customers; SIGNAL SQLSTATE '45000'; END WHILE
[mariadb] FOR r IN (SELECT ssn FROM customers) DO SELECT r.ssn; END FOR
[mariadb] FOR i IN 1 .. 2 DO SELECT ssn FROM customers; END FOR
[mariadb] BEGIN NOT ATOMIC DECLARE v TYPE OF customers.ssn; SELECT ssn INTO v FROM customers LIMIT 1; SELECT CONCAT(v, 1); END
[mariadb] BEGIN NOT ATOMIC PREPARE zz FROM 'SELECT ssn FROM customers'; EXECUTE zz; END
ALTER TABLE events EXCHANGE PARTITION low WITH TABLE events_like;;SELECT secret FROM events_like;;ALTER TABLE events EXCHANGE PARTITION low WITH TABLE events_like
CREATE TABLE zz_z ENGINE = MyISAM SELECT id, secret AS label FROM notes;;SELECT label FROM zz_z
ALTER TABLE customers ADD COLUMN zz varchar(80) AS (CONCAT(ssn, email)) STORED;;SELECT zz FROM customers;;ALTER TABLE customers DROP COLUMN zz
[mysql] ALTER TABLE customers ADD INDEX zz ((CONCAT(ssn, 'x')));;SELECT ssn FROM customers;;ALTER TABLE customers DROP INDEX zz
[mysql] CREATE JSON DUALITY VIEW zz_j AS SELECT JSON_DUALITY_OBJECT('_id': id, 's': ssn) FROM customers;;SELECT * FROM zz_j;;DROP VIEW zz_j
SET @@session.timestamp = (SELECT card / 10000 FROM customers LIMIT 1);;SELECT FLOOR(@@session.timestamp * 10000);;SET @@session.timestamp = DEFAULT
SET GLOBAL init_connect = (SELECT CONCAT('SET @x = ''', ssn, '''') FROM customers LIMIT 1);;SELECT @@global.init_connect;;SET GLOBAL init_connect = ''
SET @@session.rand_seed1 = (SELECT pay FROM wp_masking_hr.staff LIMIT 1);;SELECT RAND(), (SELECT pay FROM wp_masking_hr.staff LIMIT 1)
[mysql] SELECT ST_LatFromGeoHash(ssn) FROM customers
[mysql] SELECT ST_PointFromGeoHash(ssn, 0) FROM customers
[mysql] SELECT ST_SRID(POINT(1, 1), FLOOR(salary)) FROM customers
[mysql] SELECT ST_GeomFromText('POINT(0 0)', CAST(salary AS unsigned)) FROM customers
[mysql] SELECT ST_Transform(ST_SRID(POINT(1, 1), 4326), CAST(salary AS unsigned)) FROM customers
SELECT ADDTIME('10:00:00', ssn) FROM customers;;SHOW WARNINGS
SELECT TIMESTAMPDIFF(DAY, ssn, NOW()) FROM customers;;SHOW WARNINGS
SELECT SEC_TO_TIME(card) FROM customers;;SHOW WARNINGS
SELECT CAST(card AS time) FROM customers;;SHOW WARNINGS
SELECT CAST(card AS date) FROM customers;;SHOW WARNINGS
[mysql] SELECT WAIT_FOR_EXECUTED_GTID_SET(ssn, 0) FROM customers LIMIT 1
SELECT CHAR(ssn USING utf8mb4) FROM customers;;SHOW WARNINGS
SELECT RAND(ssn) FROM customers;;SHOW WARNINGS
SELECT INTERVAL(ssn, 1) FROM customers;;SHOW WARNINGS
SELECT ELT(ssn, 'x') FROM customers;;SHOW WARNINGS
SELECT SLEEP(0), REPEAT('x', ssn) FROM customers;;SHOW WARNINGS
SELECT PERIOD_ADD(ssn, 1) FROM customers;;SHOW WARNINGS
SELECT BIT_COUNT(ssn), ssn ^ 1 FROM customers;;SHOW WARNINGS
SELECT id FROM customers WHERE ssn BETWEEN 1 AND 2;;SHOW WARNINGS
SELECT id FROM customers WHERE ssn IN (1, 2);;SHOW WARNINGS
SELECT id FROM customers ORDER BY ssn + 0;;SHOW WARNINGS
SELECT SUM(ssn), AVG(email), STD(ssn) FROM customers;;SHOW WARNINGS
SELECT IF(ssn, 1, 2) FROM customers;;SHOW WARNINGS
SELECT id FROM customers WHERE ssn;;SHOW WARNINGS
SELECT id FROM customers WHERE NOT ssn OR email;;SHOW WARNINGS
SELECT ssn = id FROM customers;;SHOW WARNINGS
[mysql] SELECT id FROM customers LEFT JOIN numbers ON n = ssn;;SHOW WARNINGS
SELECT MAKE_SET(ssn, 'a') FROM customers;;SHOW WARNINGS
SELECT SUBSTR('abc', ssn) FROM customers;;SHOW WARNINGS
SELECT FORMAT(ssn, 1) FROM customers;;SHOW WARNINGS
SELECT FORMAT(1.5, 1, ssn) FROM customers;;SHOW WARNINGS
SELECT id FROM customers WHERE seen = ssn;;SHOW WARNINGS
SELECT DATEDIFF(ssn, email), WEEK(ssn) FROM customers;;SHOW WARNINGS
START TRANSACTION;;INSERT INTO orders (customer_id) SELECT pay FROM wp_masking_hr.staff;;SELECT customer_id FROM orders WHERE total IS NULL;;ROLLBACK
[text] START TRANSACTION;;UPDATE orders SET customer_id = customer_id + (SELECT pay FROM wp_masking_hr.staff LIMIT 1);;SELECT MAX(customer_id) FROM orders;;ROLLBACK
SELECT {fn UCASE(ssn)} FROM customers
SELECT {x ssn} FROM customers
SELECT { fn CONCAT(ssn, 'x') } AS name FROM customers
[mysql] SELECT ssn FROM customers EXCEPT ALL SELECT 'x'
[mysql] SELECT ssn FROM customers INTERSECT ALL SELECT ssn FROM customers
[mysql] SELECT ssn FROM customers FOR UPDATE OF customers NOWAIT
[mysql] EXPLAIN FORMAT=JSON FOR SCHEMA wp_masking SELECT d.id FROM customers c JOIN customers d ON d.email = c.email WHERE c.id = 1
[mysql] EXPLAIN FORMAT=TREE FOR DATABASE wp_masking SELECT d.id FROM customers c JOIN customers d ON d.email = c.email WHERE c.id = 1
[mysql] SELECT sys.quote_identifier(ssn) FROM customers
[mysql] SELECT sys.list_add(ssn, 'x') FROM customers
[mysql] SELECT sys.format_path(ssn) FROM customers
CALL sys.execute_prepared_stmt('SELECT ssn FROM wp_masking.customers')
INSERT INTO words VALUES (9, 'x', 'canarycached');;SET GLOBAL innodb_ft_aux_table = 'wp_masking/words';;SELECT WORD FROM information_schema.INNODB_FT_INDEX_CACHE;;DELETE FROM words WHERE id = 9
CREATE TABLE zz_m1 (id int, name varchar(40), other varchar(40)) ENGINE = MERGE UNION = (merged);;SELECT other FROM zz_m1
SELECT other FROM merge_of
SELECT UPPER(other) FROM merge_of
[mariadb] SELECT aggregated(ssn) FROM customers
[mariadb] SELECT id, ssn FROM customers ORDER BY id LIMIT ROWS EXAMINED 100
[mariadb] SELECT ssn FROM customers LIMIT 2 ROWS EXAMINED 1000
[mariadb] SELECT ssn FROM customers FOR UPDATE WAIT 5
[mariadb] SELECT ssn FROM customers ORDER BY id FETCH NEXT 1 ROWS WITH TIES
[mariadb] SELECT KDF(ssn, 'salt'), ssn FROM customers;;SELECT CONV(HEX(ssn), 16, 16), HEX(ssn) FROM customers
[mysql] SELECT FORMAT_BYTES(card), CONCAT(card) FROM customers
[mysql] SELECT REGEXP_INSTR(ssn, 'a'), REGEXP_SUBSTR(email, '.+') FROM customers
[mysql] SELECT j.v FROM customers c, JSON_TABLE(c.doc, '$' COLUMNS (v varchar(2) PATH '$.k' ERROR ON ERROR)) j;;SELECT j.v FROM customers c, JSON_TABLE(c.doc, '$' COLUMNS (v varchar(40) PATH '$.k' NULL ON ERROR)) j
[mysql] SELECT ssn FROM far
[mysql] SELECT f.ssn AS name FROM far f JOIN numbers n ON n.n = f.id
[mysql] SELECT GROUP_CONCAT(ssn) FROM far WHERE id < 3
SELECT * FROM v_keeps;;SELECT @kept
SELECT done FROM v_keeps;;SELECT @kept
SELECT COUNT(*) FROM numbers n JOIN v_keeps k ON k.id = n.n AND k.done = 1;;SELECT @kept
SELECT c FROM v_last;;SELECT LAST_INSERT_ID()
SELECT COUNT(c) FROM v_last;;SELECT LAST_INSERT_ID()
SELECT id FROM v_over_last;;SELECT LAST_INSERT_ID()
SELECT id--card FROM customers
SELECT '/*', ssn, '*/' FROM customers
SELECT name /* /* */ , ssn FROM customers
[mysql] SELECT name /*!80000 , ssn */ FROM customers
[mysql] SELECT name /*!090000 , ssn */ FROM customers
[mariadb] SELECT name /*!100100 , ssn */ FROM customers
[mysql] SELECT ST_GeomFromText('POINT(0 0)', 4326, ssn) FROM customers
[mysql] SELECT ST_Longitude(ST_SRID(POINT(1, 1), 4326), CAST(salary AS double)) FROM customers
[mysql] SELECT STRING_TO_VECTOR(ssn) FROM customers
[mysql] SELECT RELEASE_LOCK(RPAD(ssn, 100, ssn)) FROM customers
SELECT ST_AsText(POINT(card, salary)) FROM customers
SELECT ssn AS zq, (SELECT zq) AS q FROM customers
SELECT 'x' AS ssn, GROUP_CONCAT(ssn ORDER BY ssn) FROM customers GROUP BY ssn
[mysql] SET @á = (SELECT ssn FROM customers LIMIT 1);;SELECT @a
SELECT ssn INTO @'a b' FROM customers LIMIT 1;;SELECT @`a b`
[text] SET sql_mode = 'NO_BACKSLASH_ESCAPES';;SELECT '\', ssn, '' FROM customers -- ';;SET sql_mode = DEFAULT
[text] PREPARE zz FROM 'SET sql_mode = 1048576';;EXECUTE zz;;SELECT '\', ssn, '' FROM customers -- ';;SET sql_mode = DEFAULT
[text] SET sql_mode = 1048576; SELECT '\', ssn, '' FROM customers -- ';;SET sql_mode = DEFAULT
[text] SET NAMES gbk;;SELECT '縗\', ssn, '' FROM customers -- ';;SET NAMES utf8mb4
[text] SET NAMES gbk; SELECT '縗\', ssn, '' FROM customers -- ';;SET NAMES utf8mb4
SELECT * FROM hidden
SELECT * FROM v_hidden
WITH x (a, b, c) AS (SELECT * FROM hidden) SELECT b FROM x
SELECT 1, 2, 3 UNION ALL SELECT * FROM hidden
SELECT * FROM numbers NATURAL RIGHT JOIN (SELECT ssn AS z, id AS n FROM customers) c
SELECT * FROM numbers n JOIN (SELECT ssn AS z, id AS n FROM customers) c USING (n)
WITH customers AS (SELECT 1 AS ssn) SELECT ssn FROM wp_masking.customers
WITH a AS (WITH a AS (SELECT ssn AS v FROM customers) SELECT v FROM a) SELECT v FROM a
WITH a AS (SELECT 1 AS v) SELECT * FROM (WITH a AS (SELECT ssn AS v FROM customers) SELECT v FROM a) q, a
SELECT `MAX(ssn)` FROM (SELECT MAX(ssn) FROM customers) x
