// Reads the one row of each table named, in text and by a prepared statement: both to standard output as one JSON object.
const mysql = require("mysql2/promise");

async function main() {
  const [host, port, user, password, database, ...tables] = process.argv.slice(2);
  const connection = await mysql.createConnection({
    host, port: Number(port), user, password, database, dateStrings: true, supportBigNumbers: true, bigNumberStrings: true,
  });
  const found = {};
  for (const table of tables) {
    const [[text]] = await connection.query(`SELECT * FROM ${table}`);
    const [[binary]] = await connection.execute(`SELECT * FROM ${table}`);
    found[table] = [text, binary];
  }
  await connection.end();
  process.stdout.write(JSON.stringify(found));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
