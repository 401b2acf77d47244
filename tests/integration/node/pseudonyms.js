// For each column named: the rows that its pseudonyms find when they are bound, as one JSON object to standard output.
const mysql = require("mysql2/promise");

async function main() {
  const [port, password, names] = process.argv.slice(2);
  const connection = await mysql.createConnection({
    host: "127.0.0.1", port: Number(port), user: "agent", password, database: "shop", timezone: "Z",
  });
  const found = {};
  for (const name of JSON.parse(names)) {
    found[name] = [];
    for (const id of [1, 2]) {
      const [[row]] = await connection.execute(`SELECT \`${name}\` AS x FROM typed WHERE id = ?`, [id]);
      const [again] = await connection.execute(`SELECT id FROM typed WHERE \`${name}\` = ?`, [row.x]);
      found[name].push(...again.map((each) => each.id));
    }
  }
  await connection.end();
  process.stdout.write(JSON.stringify(found));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
