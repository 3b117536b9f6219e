// Loaded into the suite's origin server, which would listen on every interface of the
// machine, to make it listen on loopback only.

const { Server } = require("node:net");

const listen = Server.prototype.listen;
Server.prototype.listen = function (port) {
  return listen.call(this, Number(port), "127.0.0.1");
};
