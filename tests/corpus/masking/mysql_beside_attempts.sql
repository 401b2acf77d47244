-- Ways to see what another session of the server runs, as `mysql_attempts.sql`. OTHER: the number of that session's connection.
SHOW FULL PROCESSLIST
SHOW PROCESSLIST
[text] SHOW /*!50002 FULL */ PROCESSLIST
SELECT INFO FROM information_schema.PROCESSLIST
SELECT * FROM information_schema.processlist WHERE ID = OTHER
SELECT REVERSE(INFO) FROM information_schema.PROCESSLIST WHERE COMMAND = 'Query'
SELECT x.i FROM (SELECT INFO AS i FROM information_schema.PROCESSLIST) x
SELECT GROUP_CONCAT(INFO) FROM information_schema.PROCESSLIST p JOIN customers c ON c.id = 1
USE information_schema;;SELECT INFO FROM PROCESSLIST;;USE wp_masking
CREATE TEMPORARY TABLE zz_d AS SELECT INFO AS label FROM information_schema.PROCESSLIST;;SELECT label FROM zz_d;;DROP TEMPORARY TABLE zz_d
CREATE VIEW zz_g AS SELECT INFO AS label FROM information_schema.PROCESSLIST;;SELECT label FROM zz_g
SELECT @c1 := INFO FROM information_schema.PROCESSLIST WHERE ID = OTHER;;SELECT @c1
[mariadb] SELECT INFO_BINARY FROM information_schema.PROCESSLIST
[mariadb] BEGIN NOT ATOMIC SHOW FULL PROCESSLIST; END
[mariadb] SELECT LOCK_DATA FROM information_schema.INNODB_LOCKS
[mariadb] SELECT * FROM information_schema.innodb_locks
[mysql] SELECT INFO FROM performance_schema.processlist
[mysql] SELECT PROCESSLIST_INFO FROM performance_schema.threads WHERE PROCESSLIST_ID = OTHER
[mysql] SELECT SQL_TEXT FROM performance_schema.events_statements_current
[mysql] SELECT LOWER(SQL_TEXT) FROM performance_schema.events_statements_history
[mysql] SELECT DIGEST_TEXT, QUERY_SAMPLE_TEXT FROM performance_schema.events_statements_summary_by_digest
[mysql] SELECT * FROM performance_schema.prepared_statements_instances
[mysql] SELECT VARIABLE_VALUE FROM performance_schema.user_variables_by_thread
[mysql] SELECT OBJECT_NAME FROM performance_schema.metadata_locks
[mysql] SELECT * FROM performance_schema.data_locks
[mysql] USE performance_schema;;TABLE events_statements_current;;USE wp_masking
[mysql] SELECT current_statement FROM sys.session
[mysql] SELECT * FROM sys.processlist
[mysql] SELECT current_statement FROM sys.x$session
[mysql] SELECT * FROM sys.x$processlist
[mysql] SELECT waiting_query FROM sys.innodb_lock_waits
[mysql] SELECT * FROM sys.x$innodb_lock_waits
SELECT trx_query FROM information_schema.INNODB_TRX
SELECT * FROM information_schema.innodb_trx
SELECT UPPER(trx_query) FROM information_schema.innodb_trx
SHOW ENGINE INNODB STATUS
[mysql] EXPLAIN FOR CONNECTION OTHER
[mysql] EXPLAIN FORMAT=JSON FOR CONNECTION OTHER
[mysql] EXPLAIN FORMAT=TREE FOR CONNECTION OTHER
[mysql] DESCRIBE FORMAT=TREE FOR CONNECTION OTHER
[mysql] DESC FORMAT=JSON FOR CONNECTION OTHER
[mysql] SET explain_format = TREE;;EXPLAIN FOR CONNECTION OTHER;;SET explain_format = DEFAULT
[mysql] SET explain_json_format_version = 2;;EXPLAIN FORMAT=JSON FOR CONNECTION OTHER;;SET explain_json_format_version = DEFAULT
[mariadb] SHOW EXPLAIN FOR OTHER;;SHOW WARNINGS
[mariadb] SHOW EXPLAIN FORMAT=JSON FOR OTHER
[mariadb] EXPLAIN FOR CONNECTION OTHER;;SHOW WARNINGS
[mariadb] EXPLAIN FORMAT=JSON FOR CONNECTION OTHER
[mariadb] SHOW ANALYZE FOR OTHER;;SHOW WARNINGS
[mariadb] SHOW ANALYZE FORMAT=JSON FOR OTHER
[mariadb] SHOW EXPLAIN FOR OTHER;;GET DIAGNOSTICS CONDITION 1 @c2 = MESSAGE_TEXT;;SELECT @c2
