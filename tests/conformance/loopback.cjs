// Loaded into the suite's origin server, which listens on every interface of
// the machine: it shall listen on loopback alone.

const { Server } = require("node:net");

const listen = Server.prototype.listen;
Server.prototype.listen = function (port) {
  return listen.call(this, Number(port), "127.0.0.1");
};
