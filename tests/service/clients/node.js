// What programs on Node.js do: statements with values, a named one, rows as objects, an error.
const { Client } = require("pg");

async function main() {
  const one = new Client({ connectionString: process.argv[2] });
  one.on("notice", () => {});
  await one.connect();
  const found = await one.query("SELECT id, cost, seen, tags FROM visit WHERE cost > $1 AND id < $2 ORDER BY id LIMIT 1", [2, 3]);
  console.log(JSON.stringify(found.rows));
  for (let n = 0; n < 2; n++) {
    const named = await one.query({ name: "plus", text: "SELECT $1::int + 1 AS n", values: [n] });
    console.log(named.rows[0].n);
  }
  console.log((await one.query("SELECT count(*) FROM person")).rows[0]["count_star()"]);
  await one.query("SELECT * FROM nix").catch((error) => console.log(error.code));
  await one.end();
}

main().catch((error) => { console.error(error); process.exit(1); });
