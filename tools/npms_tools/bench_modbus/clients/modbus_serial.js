// The npm package modbus-serial: a client for each connection, one request at a time.
//
// node modbus_serial.js PORT CONNECTIONS SECONDS COUNT prints what load.py prints.

const ModbusRTU = require("modbus-serial");

const WARM_UP_MS = 300;
const [port, connections, seconds, count] = process.argv.slice(2).map(Number);
const found = { reads: 0, faults: 0, wrong: 0 };
let isOver = false;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function connected() {
    const client = new ModbusRTU();
    await client.connectTCP("127.0.0.1", { port });
    client.setID(1);
    client.setTimeout(2000);
    return client;
}

async function readOn(client) {
    while (!isOver) {
        try {
            const { data } = await client.readInputRegisters(0, count);
            found.reads += 1;
            if (data.length !== count || data[count - 1] !== count - 1) found.wrong += 1;
        } catch {
            found.faults += 1;
        }
    }
}

async function main() {
    const clients = [];
    for (let i = 0; i < connections; i++) clients.push(await connected());
    clients.forEach(readOn);
    await pause(WARM_UP_MS);
    const before = { ...found }, began = process.hrtime.bigint(), cpu = process.cpuUsage();
    await pause(seconds * 1000);
    const used = process.cpuUsage(cpu);
    const counted = Object.fromEntries(
        Object.keys(found).map((name) => [name, found[name] - before[name]]));
    isOver = true;
    console.log(JSON.stringify({
        ...counted,
        wall_s: Number(process.hrtime.bigint() - began) / 1e9,
        cpu_s: (used.user + used.system) / 1e6,
    }));
    process.exit(0);
}

main();
