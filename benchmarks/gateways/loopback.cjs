// Loaded before a server that would listen on all addresses: it listens on loopback only.
const net = require("node:net");
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...given) {
  if (typeof given[0] === "number") {
    const rest = given.slice(typeof given[1] === "string" ? 2 : 1);
    return listen.call(this, given[0], "127.0.0.1", ...rest.filter((one) => one !== undefined));
  }
  if (given[0] && typeof given[0] === "object" && "port" in given[0]) {
    return listen.call(this, { ...given[0], host: "127.0.0.1" }, ...given.slice(1));
  }
  return listen.apply(this, given);
};
