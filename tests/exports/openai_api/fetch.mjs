// Fetches each of the addresses in its arguments, after the first two (base address, secret), and prints the answers as JSON.
const [base, secret, ...addresses] = process.argv.slice(2);
const answers = [];
for (const address of addresses) {
  const answer = await fetch(base + address, { headers: { Authorization: `Bearer ${secret}`, Accept: "application/json" } });
  answers.push({ status: answer.status, body: await answer.json() });
}
console.log(JSON.stringify(answers));
