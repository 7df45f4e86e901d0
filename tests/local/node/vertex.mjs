// What Node's official client of Vertex AI does; prints one JSON object of results. Over gRPC it needs no setting; over
// REST (`fallback`) it goes through no proxy, whatever the environment says, and is given the address.
import aiplatform from '@google-cloud/aiplatform';
import {Storage} from '@google-cloud/storage';

const parent = 'projects/proj-node/locations/us-central1';
const place = {apiEndpoint: 'us-central1-aiplatform.googleapis.com'};
const {v1, helpers} = aiplatform;
const local = new URL(process.env.TUNELINE_LOCAL_URL);
const rest = {apiEndpoint: local.hostname, port: Number(local.port), protocol: 'http', fallback: true};

const rows = ['one', 'two', 'three', 'four', 'five', 'six'].flatMap((word, at, all) => at ? [[all[at - 1], word]] : []);
const turns = rows.map(([user, model]) => ({contents: [
  {role: 'user', parts: [{text: user}]}, {role: 'model', parts: [{text: model}]},
]}));
const file = new Storage({projectId: 'proj-node'}).bucket('tuneline-local').file('node.jsonl');
await file.save(Array(4).fill(turns).flat().map(row => JSON.stringify(row)).join('\n'));

async function models(options) {
  const client = new v1.ModelServiceClient({...place, ...options});
  const found = {};
  const model = {displayName: 'node', containerSpec: {imageUri: 'r/i:1'}, labels: {by: options.fallback ? 'rest' : 'grpc'}};
  const [operation] = await client.uploadModel({parent, model});
  const [uploaded] = await operation.promise();
  [found.display] = [(await client.getModel({name: uploaded.model}))[0].displayName];
  const [listed] = await client.listModels({parent, filter: `labels.by="${model.labels.by}"`});
  found.listed = listed.length;
  const aliased = await client.mergeVersionAliases({name: `${uploaded.model}@1`, versionAliases: ['champion']});
  found.aliases = aliased[0].versionAliases;
  found.missing = await client.getModel({name: `${parent}/models/none`}).then(() => 0, error => error.code);
  found.refused = await client.uploadModel({parent, model: {displayName: 'x'}})
    .then(() => '', error => error.message.includes('containerSpec'));
  return found;
}

async function tuning() {
  const client = new v1.GenAiTuningServiceClient(place);
  const [made] = await client.createTuningJob({parent, tuningJob: {
    baseModel: 'gemini-2.5-flash',
    supervisedTuningSpec: {trainingDatasetUri: 'gs://tuneline-local/node.jsonl', hyperParameters: {epochCount: 1}},
  }});
  let job = made;
  while (!/SUCCEEDED|FAILED|CANCELLED/.test(job.state)) {
    await new Promise(done => setTimeout(done, 200));
    [job] = await client.getTuningJob({name: made.name});
  }
  const [listed] = await client.listTuningJobs({parent});
  const prediction = new v1.PredictionServiceClient(place);
  const contents = [{role: 'user', parts: [{text: 'two'}]}];
  const model = job.tunedModel.endpoint;
  const [answer] = await prediction.generateContent({model, contents, generationConfig: {maxOutputTokens: 4}});
  let streamed = '';
  for await (const part of prediction.streamGenerateContent({model, contents})) {
    streamed += part.candidates[0].content.parts[0].text;
  }
  const [predicted] = await prediction.predict({
    endpoint: model, instances: [helpers.toValue({prompt: 'two'})], parameters: helpers.toValue({maxOutputTokens: 4}),
  });
  return {
    state: job.state,
    listed: listed.some(each => each.name === made.name),
    answered: answer.usageMetadata.candidatesTokenCount > 0,
    streamed: streamed.length > 0,
    predicted: typeof helpers.fromValue(predicted.predictions[0]).content,
  };
}

async function pipeline() {
  const client = new v1.PipelineServiceClient(place);
  const executor = {container: {image: 'x/tuneline-python:1', command: ['true']}};
  const spec = {
    schemaVersion: '2.1.0', sdkVersion: 'kfp-2.17.0', pipelineInfo: {name: 'node'},
    root: {dag: {tasks: {a: {componentRef: {name: 'comp-a'}, taskInfo: {name: 'a'}}}}},
    components: {'comp-a': {executorLabel: 'exec-a'}}, deploymentSpec: {executors: {'exec-a': executor}},
  };
  const pipelineSpec = helpers.toValue(spec).structValue;
  const [made] = await client.createPipelineJob({parent, pipelineJobId: 'from-node', pipelineJob: {
    displayName: 'node', pipelineSpec, runtimeConfig: {gcsOutputDirectory: 'gs://tuneline-local/node'},
  }});
  let job = made;
  while (!/SUCCEEDED|FAILED|CANCELLED/.test(job.state)) {
    await new Promise(done => setTimeout(done, 100));
    [job] = await client.getPipelineJob({name: made.name});
  }
  return {state: job.state, tasks: job.jobDetail.taskDetails.map(task => task.taskName).sort()};
}

console.log(JSON.stringify({
  grpc: await models({}), rest: await models(rest), tuning: await tuning(), pipeline: await pipeline(),
}));
process.exit(0);
