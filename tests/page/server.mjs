// A server for the page to look at, and calls over HTTP/2 with the few fields of the protocol that they need.

import { spawn } from "node:child_process";
import { connect } from "node:http2";
import { createServer } from "node:net";
import { createInterface } from "node:readline";

/// A port that was free a moment ago: the server does not print the one that the system would choose for metrics.
export async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/// Starts a server and waits until it is ready.
export async function start(binary, config) {
  const child = spawn(binary, ["--config", config], { stdio: ["ignore", "pipe", "ignore"] });
  const ended = new Promise((done) => child.once("exit", (code) => done(code)));
  let address;
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith("listening on ")) address = line.split(" ").at(-1);
    if (line.startsWith("ready")) break;
  }
  if (!address) throw new Error("the server did not start");
  const stop = () => {
    child.kill("SIGTERM");
    return ended;
  };
  return { address, stop };
}

/// A protobuf field that holds bytes: a text or another message.
function field(number, content) {
  const bytes = Buffer.from(content);
  const size = [];
  let rest = bytes.length;
  while (rest > 127) {
    size.push((rest & 127) | 128);
    rest >>= 7;
  }
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...size, rest]), bytes]);
}
const subject = (id) => field(1, field(1, id));

export class Client {
  constructor(address) {
    this.session = connect(`http://${address}`);
    this.session.on("error", () => {});
  }
  /// Calls a method; its status as a number.
  call(path, message) {
    const request = this.session.request({ ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" });
    const head = Buffer.alloc(5);
    head.writeUInt32BE(message.length, 1);
    request.end(Buffer.concat([head, message]));
    return new Promise((done, failed) => {
      let status;
      const note = (headers) => (status = headers["grpc-status"] ?? status);
      request.on("response", note);
      request.on("trailers", note);
      request.on("data", () => {});
      request.on("end", () => done(Number(status)));
      request.on("error", failed);
    });
  }
  score(id) {
    return this.call("/churn.v1.ScoringService/ScoreUser", subject(id));
  }
  batch(ids) {
    return this.call("/churn.v1.ScoringService/BatchScoreUsers", Buffer.concat(ids.map(subject)));
  }
  load(name) {
    return this.call("/churn.v1.ModelService/LoadModel", field(1, name));
  }
  close() {
    this.session.close();
  }
}
