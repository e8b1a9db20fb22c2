// Runs cases one after another and prints what came of each as one JSON object: {name: {value} or {error}}.

export async function runCases(cases) {
  const outcomes = {};
  for (const [name, run] of Object.entries(cases)) {
    try {
      outcomes[name] = { value: (await run()) ?? null };
    } catch (error) {
      const body = error?.responseBody ?? error?.error ?? null;
      outcomes[name] = { error: `${error?.stack ?? error}\n${JSON.stringify(body)}` };
    }
  }
  console.log(JSON.stringify(outcomes));
}
