// A phone: the real WatermelonDB on LokiJS in memory. Reads one order as JSON per line, answers each with one line.
const readline = require('node:readline')
const { Database, Model, appSchema, tableSchema } = require('@nozbe/watermelondb')
const { default: LokiJSAdapter } = require('@nozbe/watermelondb/adapters/lokijs')
const { synchronize } = require('@nozbe/watermelondb/sync')
const { LokiMemoryAdapter } = require('lokijs')

const text = (...names) => names.map((name) => ({ name, type: 'string', isOptional: true }))
const number = (...names) => names.map((name) => ({ name, type: 'number', isOptional: true }))
const COLUMNS = {
  jobs: [
    ...text('status', 'title', 'notes', 'report', 'address', 'request', 'urgency', 'customer_id', 'technician_id'),
    ...text('total', 'currency', 'signed_by', 'signature_id', 'invoice_id'),
    ...number('lat', 'lng', 'starts_at', 'ends_at'),
  ],
  customers: text('name', 'phone', 'address', 'vat_condition', 'document_type', 'document_number'),
  line_items: [
    ...text('job_id', 'description', 'quantity', 'unit_price', 'discount', 'vat_rate', 'treatment'),
    ...number('place'),
  ],
  photos: [...text('job_id', 'media_id', 'content_type'), ...number('size', 'taken_at')],
  positions: [...text('job_id'), ...number('lat', 'lng', 'accuracy', 'speed', 'heading', 'recorded_at')],
}

console.log = console.warn = console.error = (...said) => process.stderr.write(`${said.join(' ')}\n`)

const [url, token] = process.argv.slice(2)
const schema = appSchema({
  version: 1,
  tables: Object.entries(COLUMNS).map(([name, columns]) => tableSchema({ name, columns })),
})
const database = new Database({
  adapter: new LokiJSAdapter({
    schema,
    useWebWorker: false,
    useIncrementalIndexedDB: false,
    _testLokiAdapter: new LokiMemoryAdapter(),
  }),
  modelClasses: Object.keys(COLUMNS).map((table) => {
    const made = class extends Model {}
    made.table = table
    return made
  }),
})

async function ask(method, path, body) {
  const answer = await fetch(`${url}/api/v1/sync/watermelon?${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: body && JSON.stringify(body),
  })
  const said = await answer.json()
  if (!answer.ok) throw Object.assign(new Error(said.detail), { said, status: answer.status })
  return said
}

async function once(order) {
  const found = { pulled: null, pushed: null }
  await synchronize({
    database,
    sendCreatedAsUpdated: true,
    pullChanges: async ({ lastPulledAt, schemaVersion, migration }) => {
      const path = `last_pulled_at=${lastPulledAt}&schema_version=${schemaVersion}&migration=${encodeURIComponent(JSON.stringify(migration))}`
      found.pulled = await ask('GET', order.stale ? 'last_pulled_at=null' : path)
      if (order.meanwhile) await meanwhile(order.meanwhile)
      return found.pulled
    },
    pushChanges: async ({ changes, lastPulledAt }) => {
      found.pushed = await ask('POST', `last_pulled_at=${lastPulledAt}`, changes)
      if (order.loseTheAnswer) throw new Error('the answer was lost')
      return found.pushed
    },
  })
  return found
}

// Somebody else's request between our pull and our push.
async function meanwhile({ method, path, body, token: other }) {
  const headers = { authorization: `Bearer ${other}`, 'content-type': 'application/json' }
  const answer = await fetch(url + path, { method, headers, body: JSON.stringify(body) })
  if (!answer.ok) throw new Error(`meanwhile: ${answer.status} ${await answer.text()}`)
}

const set = (record, values) => Object.entries(values).forEach(([name, value]) => record._setRaw(name, value))
const ORDERS = {
  async sync(order) {
    let refused = null
    try {
      return { ...(await once(order)), refused }
    } catch (failure) {
      if (!failure.said || order.loseTheAnswer) return { refused: { message: failure.message, ...failure.said } }
      refused = { status: failure.status, ...failure.said }
    }
    return { ...(await once({})), refused } // as apps do: once more
  },
  async create({ table, id, values }) {
    await database.write(() =>
      database.get(table).create((record) => {
        record._raw.id = id
        set(record, values)
      }),
    )
  },
  async update({ table, id, values }) {
    const record = await database.get(table).find(id)
    await database.write(() => record.update((each) => set(each, values)))
  },
  async remove({ table, id }) {
    const record = await database.get(table).find(id)
    await database.write(() => record.markAsDeleted())
  },
  async show({ table }) {
    const records = await database.get(table).query().fetch()
    return Object.fromEntries(records.map((record) => [record.id, record._raw]))
  },
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const order = JSON.parse(line)
    let answer
    try {
      answer = { ok: (await ORDERS[order.do](order)) ?? null }
    } catch (failure) {
      answer = { failed: `${failure.stack}` }
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`)
  }
  process.exit(0)
}

main()
