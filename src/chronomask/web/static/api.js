// Requests to the server. What it refuses is thrown, in its own words.

async function answered(response) {
  const body = await response.json().catch(() => ({}));
  if (!response.ok) {
    const error = new Error(body.error || `the server answered ${response.status}`);
    throw Object.assign(error, { refused: response.status < 500 });
  }
  return body;
}

async function call(method, path, body) {
  let response;
  try {
    const headers = body === undefined ? {} : { "content-type": "application/json" };
    response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Error("the server does not answer; is chronomask web still running?");
  }
  return answered(response);
}

export const get = (path) => call("GET", path);
export const post = (path, body = {}) => call("POST", path, body);
export const put = (path, body) => call("PUT", path, body);
export const remove = (path) => call("DELETE", path);

export async function bytes(path, headers = {}) {
  const response = await fetch(path, { headers, cache: "no-store" });
  if (!response.ok) return answered(response);
  return response.arrayBuffer();
}

// Sends a file, and tells how much of it is there. fetch does not tell.
export function upload(path, file, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `${path}?name=${encodeURIComponent(file.name)}`);
    request.upload.onprogress = (event) => progress(event.loaded, event.total);
    request.onload = () => {
      let body = {};
      try { body = JSON.parse(request.responseText); } catch { /* no json */ }
      if (request.status < 300) resolve(body);
      else reject(new Error(body.error || `the server answered ${request.status}`));
    };
    request.onerror = () => reject(new Error(`${file.name}: the server took no more of it; it is too large, or the server is gone`));
    request.send(file);
  });
}
