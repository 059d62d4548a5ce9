#include "cmd/tutorial_script.h"

#include "cmd/adoption.h"
#include "cmd/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pgwalship {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// As the tutorial has it, shortened; its verify lists name variables that do not exist.
constexpr std::string_view kTutorial = R"(#!/bin/bash

archivedir="/var/lib/pgsql/9.3/archive"
synckey="/var/lib/pgsql/.ssh/pgarchivesync"

FAILURE=0
/bin/gzip < $1 > $archivedir/$2.gz
me=`hostname -f`
sitea_nodes="pgdb1.sitea.com pgdb2.sitea.com"
siteb_nodes="pgdb1.siteb.com pgdb2.siteb.com"
all_nodes="${sitea_nodes} ${siteb_nodes}"
nodes=(${all_nodes[@]//${me}})
nodes=`echo ${nodes[@]}`
mydomain=`/bin/dnsdomainname`
if [ "${mydomain}" == "siteb.com" ];then
  all_verifynodes=${chantilly_nodes}
fi
for node in ${nodes}; do
    /usr/bin/rsync -avzp --delete -e "ssh -i $synckey" $archivedir/ postgres@$node:$archivedir
done
exit $FAILURE
)";

TEST(TutorialScript, TellsDirectoryKeyUserAndSites) {
  const TutorialScript script = read_tutorial_script(kTutorial);
  EXPECT_EQ(script.archive_directory, "/var/lib/pgsql/9.3/archive");
  EXPECT_EQ(script.identity, "/var/lib/pgsql/.ssh/pgarchivesync");
  EXPECT_EQ(script.user, "postgres");
  EXPECT_EQ(script.port, 22);
  EXPECT_THAT(
      script.nodes,
      ElementsAre(ScriptNode{"pgdb1.sitea.com", "sitea"}, ScriptNode{"pgdb2.sitea.com", "sitea"},
                  ScriptNode{"pgdb1.siteb.com", "siteb"}, ScriptNode{"pgdb2.siteb.com", "siteb"}));
  EXPECT_TRUE(script.verifies);
}

TEST(TutorialScript, SaysThatItsVerifyListIsEmpty) {
  EXPECT_THAT(read_tutorial_script(kTutorial).remarks,
              ElementsAre("line 16: 'chantilly_nodes' is set nowhere, so 'all_verifynodes' is "
                          "empty: the script verified no node"));
}

TEST(TutorialScript, ReadsArraysOverSeveralLinesAndOtherPorts) {
  const TutorialScript script = read_tutorial_script(
      "ARCHIVE_DIR=/srv/wal\nexport HOSTS=( pgdb1\n  'pgdb2' # the old one\n  postgres@pgdb3 )\n"
      "rsync -e \"ssh -p 2222 -i /root/key\" x\n");
  EXPECT_EQ(script.archive_directory, "/srv/wal");
  EXPECT_EQ(script.identity, "/root/key");
  EXPECT_EQ(script.port, 2222);
  EXPECT_THAT(script.nodes, ElementsAre(ScriptNode{"pgdb1", ""}, ScriptNode{"pgdb2", ""},
                                        ScriptNode{"pgdb3", ""}));
}

TEST(TutorialScript, BelievesNothingThatNeedsAShell) {
  const TutorialScript script = read_tutorial_script(
      "archivedir=$(touch /tmp/never)/x\nnodes=`touch /tmp/never`\nhosts=\"a;b ../c $(id)\"\n"
      "# archivedir=/commented\narchive_path=\"unclosed\n");
  EXPECT_EQ(script.archive_directory, "");
  EXPECT_TRUE(script.nodes.empty());
}

TEST(TutorialScript, SurvivesAnyBytes) {
  std::string noise;
  for (int i = 0; i < 4096; ++i) {
    noise += static_cast<char>(i * 7919 % 251);
  }
  read_tutorial_script(noise + "\nnodes=(\n" + noise);
  read_tutorial_script("nodes=${");
  read_tutorial_script("a=$");
}

TEST(Adoption, WritesAConfigurationThatLoads) {
  Adoption adoption;
  adoption.script = read_tutorial_script(kTutorial);
  adoption.script_path = "/x/archive.sh";
  adoption.directory = adoption.archive = adoption.script.archive_directory;
  adoption.data_directory = "/var/lib/pgsql/9.3/data";
  adoption.config_path = adoption.default_config = "/etc/pgwalship/pgwalship.conf";
  const std::string text = adopted_config(adoption);
  LoadOptions options;
  options.host_name = [] { return std::string("pgdb1.sitea.com"); };
  const Result<Config> config = parse_config(text, "f", options);
  ASSERT_TRUE(config.ok()) << config.error().message << "\n" << text;
  EXPECT_EQ(config.value().nodes.size(), 4U);
  EXPECT_EQ(config.value().quorum.text(), "ALL (site:local)");
  EXPECT_EQ(config.value().ssh.identity, "/var/lib/pgsql/.ssh/pgwalship");
  EXPECT_EQ(config.value().archive.directory, "/var/lib/pgsql/9.3/archive");
}

TEST(Adoption, TellsWhatToChangeAndHowToGoBack) {
  Adoption adoption;
  adoption.archive = "/a";
  adoption.config_path = "/x.conf";
  const std::string steps = next_steps(adoption);
  EXPECT_THAT(steps, HasSubstr("archive_command = 'pgwalship --config /x.conf push %p %f'"));
  EXPECT_THAT(steps, HasSubstr("The way back"));
  EXPECT_THAT(steps, testing::Not(HasSubstr("keys create")));
}

}  // namespace
}  // namespace pgwalship
