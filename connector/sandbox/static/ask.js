// One question to a stand-in over HTTP, JSON in and out.

export async function ask(path, body, method = "POST") {
  const options = body === undefined ? {} : { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(path, options);
  if (!answer.ok && answer.status >= 500) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}
