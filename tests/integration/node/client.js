// What a program with mysql2 does, in text and in prepared statements. Its findings go to standard output as one JSON object.
const mysql = require("mysql2/promise");
const fs = require("fs");

async function main() {
  const [host, port, user, password, database, ca] = process.argv.slice(2);
  const options = { host, port: Number(port), user, password, database, ssl: { ca: fs.readFileSync(ca) }, dateStrings: true };
  const connection = await mysql.createConnection({ ...options, multipleStatements: true });
  const found = {};
  await connection.query(
    "CREATE TABLE things (id int PRIMARY KEY AUTO_INCREMENT, name varchar(80), price decimal(10,2), born date," +
      " seen datetime(6), data blob, doc json, big bigint, note text)",
  );
  const row = ["Grüße 🐘 'q' \\", "12.50", "1815-12-10", "2025-11-23 10:11:12.345678", Buffer.from([0, 255, 39, 92]),
    JSON.stringify({ a: [1, null] }), "9007199254740993", null];
  const insert = "INSERT INTO things (name, price, born, seen, data, doc, big, note) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
  found.text_insert = (await connection.query(insert, row))[0].affectedRows;
  found.prepared_insert = (await connection.execute(insert, row))[0].insertId;
  const select = "SELECT id, name, price, born, seen, HEX(data) AS data, doc, CAST(big AS char) AS big, note FROM things WHERE id >= ?";
  found.text = (await connection.query(select, [1]))[0];
  found.prepared = (await connection.execute(select, [1]))[0];
  found.prepared_again = (await connection.execute(select, [2]))[0].length;
  found.several = (await connection.query("SELECT 1 AS a; SELECT 2 AS b, 'x' AS c"))[0];
  await connection.query("CREATE PROCEDURE two() BEGIN SELECT 1 AS a; SELECT 2 AS b; END");
  found.procedure = (await connection.query("CALL two()"))[0].slice(0, 2);
  try {
    await connection.execute("SELECT * FROM nowhere WHERE a = ?", [1]);
  } catch (error) {
    found.error = [error.errno, error.code, error.sqlState];
  }
  await connection.beginTransaction();
  await connection.query("DELETE FROM things");
  await connection.rollback();
  found.after_rollback = (await connection.query("SELECT COUNT(*) AS n FROM things"))[0][0].n;
  await connection.query("SET @mine = 1");
  await connection.changeUser({ user, password, database });
  found.changed_user = (await connection.query("SELECT @mine AS mine, DATABASE() AS d"))[0];
  await connection.ping();
  await connection.end();
  const pool = mysql.createPool({ ...options, connectionLimit: 3 });
  const answers = await Promise.all([...Array(12).keys()].map((n) => pool.execute("SELECT ? + 0 AS n", [n])));
  found.pool = answers.map(([rows]) => Number(rows[0].n));
  await pool.end();
  console.log(JSON.stringify(found));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
